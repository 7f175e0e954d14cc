//! What the generated functions are called, and how they are reached.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::{GenericParam, Token};

use super::names::{ours, ours_at};
use crate::function::Function;
use crate::model::{Cached, Companions};

pub(super) struct Names {
    pub(super) key: Ident,
    pub(super) invalidate: Ident,
    pub(super) mark_stale: Ident,
    pub(super) refresh: Ident,
    pub(super) with_outcome: Ident,
    pub(super) warm: Ident,
    /// The hidden functions that `#[invalidate(user(id))]` and `#[invalidate(user(..))]` ask.
    pub(super) target: Ident,
    pub(super) all: Ident,
    /// The hidden function with the machinery and the body.
    pub(super) run: Ident,
    /// The hidden function that writes the key.
    pub(super) write_key: Ident,
    /// `user` or `Self`.
    pub(super) owner: Ident,
    /// The function, as a doc comment shows it.
    pub(super) function: String,
}

impl Names {
    pub(super) fn new(model: &Cached, function: &Function) -> Self {
        let name = &function.item.sig.ident;
        let plain = name.unraw();
        let span = ours_at(name.span());
        let function = plain.to_string();
        match model.companions {
            Companions::Siblings => Self {
                key: format_ident!("{plain}_key", span = span),
                invalidate: format_ident!("{plain}_invalidate", span = span),
                mark_stale: format_ident!("{plain}_mark_stale", span = span),
                refresh: format_ident!("{plain}_refresh", span = span),
                with_outcome: format_ident!("{plain}_with_outcome", span = span),
                warm: format_ident!("{plain}_warm", span = span),
                target: format_ident!("__{plain}_target", span = span),
                all: format_ident!("__{plain}_all", span = span),
                run: format_ident!("__{plain}_run", span = span),
                write_key: format_ident!("__{plain}_write_key", span = span),
                owner: Ident::new("Self", Span::call_site()),
                function,
            },
            _ => Self {
                key: Ident::new("key", span),
                invalidate: Ident::new("invalidate", span),
                mark_stale: Ident::new("mark_stale", span),
                refresh: Ident::new("refresh", span),
                with_outcome: Ident::new("with_outcome", span),
                warm: Ident::new("warm", span),
                target: Ident::new("__target", span),
                all: Ident::new("__all", span),
                run: Ident::new("__run", span),
                write_key: Ident::new("__write_key", span),
                owner: ours(name),
                function,
            },
        }
    }
}

/// `::<T, N>`: parameters that no argument may tell. Lifetimes are inferred.
pub(super) fn turbofish(params: &Punctuated<GenericParam, Token![,]>) -> TokenStream {
    let params: Vec<_> = params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    match params.is_empty() {
        true => TokenStream::new(),
        false => quote!(::<#(#params),*>),
    }
}
