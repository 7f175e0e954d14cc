//! The function that a cached one and its companions call: what they hand over.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{FnArg, ItemFn, Signature, parse_quote};

use super::attributes::unexpected;
use super::body;
use super::companion_names::{Names, turbofish};
use super::names::ours_at;
use crate::function::Function;

/// Whether the hidden function's own argument shares a place with the first one of the user's: as many as Clippy takes
/// are taken.
pub(super) fn shares_first(function: &Function) -> bool {
    const MOST_ARGUMENTS: usize = 7;
    function.item.sig.inputs.len() == MOST_ARGUMENTS
        && function.arguments.first().is_some_and(|first| first.cfgs.is_empty())
}

/// Makes a signature one of ours.
pub(super) fn own(sig: &mut Signature, name: Ident) {
    sig.ident = name;
    sig.fn_token.span = ours_at(sig.fn_token.span);
    if let Some(token) = &mut sig.asyncness {
        token.span = ours_at(token.span);
    }
}

/// The function under another name, and the call of the hidden one.
pub(super) fn signature_and_call(
    function: &Function,
    names: &Names,
    name: Ident,
    how: &TokenStream,
) -> (ItemFn, TokenStream) {
    let mut item = function.item.clone();
    item.sig.ident = name;
    item.attrs = item.attrs.into_iter().map(unexpected).collect();
    let (owner, run) = (&names.owner, &names.run);
    let turbofish = turbofish(&function.item.sig.generics.params);
    let mut values = Vec::new();
    if let Some(receiver) = &function.receiver {
        let receiver = &receiver.ident;
        values.push(quote!(#receiver));
    }
    let mut shared = shares_first(function);
    if !shared {
        values.push(how.clone());
    }
    for argument in &function.arguments {
        let name = body::renamed(argument);
        let cfgs = &argument.cfgs;
        values.push(match std::mem::take(&mut shared) {
            true => quote!((#how, #name)),
            false => quote!(#(#cfgs)* #name),
        });
        if let Some(FnArg::Typed(typed)) = item.sig.inputs.get_mut(argument.index) {
            *typed.pat = parse_quote!(#name);
        }
    }
    if let Some(FnArg::Receiver(receiver)) = item.sig.inputs.first_mut() {
        receiver.mutability = None;
    }
    (item, quote!(#owner::#run #turbofish(#(#values),*)))
}
