//! `user::warm(&db, ids, 16)`: the function called for many.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{
    FnArg, GenericArgument, Lifetime, PathArguments, PathSegment, Signature, Type, TypeReference, parse_quote,
};

use super::attributes::lints;
use super::body;
use super::companion_names::Names;
use super::hidden_function::{own, signature_and_call};
use super::names::{local, our_visibility, private};
use crate::function::{Argument, Form, Function, Ownership, borrows_error, cfgs};
use crate::model::{CacheExpr, Cached, KeyInputs};
use crate::tokens;

/// As many as Clippy lets a function have.
const MOST_ARGUMENTS: usize = 7;

/// The companion, for a function that can be called again and again with what it is given once: what is no part of the key
/// is borrowed or an `Arc`.
pub(super) fn function(model: &Cached, function: &Function, names: &Names) -> TokenStream {
    let in_key = KeyInputs::new(function, &model.key, &CacheExpr::Global).arguments;
    let (of_item, given): (Vec<_>, Vec<_>) =
        function.arguments.iter().enumerate().partition(|(index, _)| in_key.contains(index));
    let is_plain = matches!(function.form, Form::Async)
        && function.stream.is_none()
        && model.list.is_none()
        && !borrows_error(&function.output);
    let lends_receiver =
        function.receiver.as_ref().is_none_or(|own| own.ownership == Ownership::Shared && own.ty.is_none());
    let count = given.len() + usize::from(function.receiver.is_some()) + 2;
    let can = is_plain
        && lends_receiver
        && !of_item.is_empty()
        && count <= MOST_ARGUMENTS
        && function.arguments.iter().all(|argument| argument.cfgs.is_empty())
        && of_item.iter().all(|(_, argument)| argument.ownership != Ownership::Exclusive)
        && given.iter().all(|(_, argument)| is_given_again(argument))
        && !of_item.iter().any(|(_, argument)| borrows_open_type(function, &argument.ty));
    if !can {
        return TokenStream::new();
    }
    let (private, how) = (private(&model.common), local("how"));
    let (mut item, call) = signature_and_call(function, names, names.warm.clone(), &how.to_token_stream());
    let (cfgs, lints) = (cfgs(&item.attrs), lints(&item.attrs));
    own(&mut item.sig, names.warm.clone());
    let item_names: Vec<_> = of_item.iter().map(|(_, argument)| body::renamed(argument)).collect();
    let output = &function.output;
    item.sig.output = parse_quote!(-> #private::Warmed<#output>);
    take_items(&mut item.sig, &of_item.iter().map(|(_, argument)| *argument).collect::<Vec<_>>());
    let pattern = match &item_names[..] {
        [name] => quote!(#name),
        names => quote!((#(#names),*)),
    };
    let again =
        given.iter().filter(|(_, argument)| argument.ownership == Ownership::Owned).map(|(_, argument)| {
            let name = body::renamed(argument);
            quote!(let #name = ::core::clone::Clone::clone(&#name);)
        });
    let again: TokenStream = again.collect();
    let one = if again.is_empty() { call } else { quote!({ #again #call }) };
    let (items, concurrency, call_one) = (local("items"), local("concurrency"), local("call"));
    let (vis, sig) = (our_visibility(&item.vis), &item.sig);
    let doc = format!(
        " Calls `{}` for many, some at a time, as `larder::warm` does: what is fresh is not computed again.",
        names.function
    );
    quote! {
        #(#cfgs)*
        #(#lints)*
        #[doc = #doc]
        #vis #sig {
            let #call_one = |#how, #pattern| #one;
            #private::warmed(#items, #concurrency, #call_one).await
        }
    }
}

/// Whether a call leaves an argument for the next one: a reference, or an `Arc`, of which each has a clone.
fn is_given_again(argument: &Argument) -> bool {
    match (&argument.ownership, &argument.ty) {
        (Ownership::Shared, _) | (Ownership::Owned, Type::Reference(_)) => true,
        (Ownership::Owned, Type::Path(path)) => {
            path.path.segments.last().is_some_and(|last| last.ident == "Arc")
        }
        _ => false,
    }
}

/// Whether a type borrows what has a parameter in it, or may have one: an argument tells the compiler that `&'a T` holds, and
/// the items of a list do not.
fn borrows_open_type(function: &Function, ty: &Type) -> bool {
    let tokens = ty.to_token_stream();
    let text = tokens.to_string();
    let borrows = text.contains('&') || text.contains('\'') || tokens::mention(&tokens, "Cow");
    let mut own = function.parameters();
    let is_of_open_type = function.associated
        && !function.surroundings.parameters.as_ref().is_some_and(|parameters| parameters.is_empty());
    borrows
        && (is_of_open_type
            || tokens::mention(&tokens, "impl")
            || own.any(|(name, _)| tokens::mention(&tokens, &name.to_string())))
}

/// Puts a list of items in the place of the arguments that the key is made of, and how many are called at a time behind it.
fn take_items(sig: &mut Signature, of_item: &[&Argument]) {
    let mut named = NameLifetimes { lifetime: parse_quote!('larder), any: false };
    let types: Vec<Type> = of_item
        .iter()
        .map(|argument| {
            let mut ty = argument.ty.clone();
            named.visit_type_mut(&mut ty);
            ty
        })
        .collect();
    let item = match &types[..] {
        [ty] => quote!(#ty),
        types => quote!((#(#types),*)),
    };
    let is_of_item = |index: usize| of_item.iter().any(|argument| argument.index == index);
    let inputs = std::mem::take(&mut sig.inputs);
    sig.inputs = inputs
        .into_iter()
        .enumerate()
        .filter(|(index, _)| !is_of_item(*index))
        .map(|(_, input)| input)
        .collect();
    let (items, concurrency) = (local("items"), local("concurrency"));
    let list: FnArg = parse_quote!(#items: impl ::core::iter::IntoIterator<Item = #item>);
    let at_a_time: FnArg = parse_quote!(#concurrency: ::core::primitive::usize);
    sig.inputs.extend([list, at_a_time]);
    if named.any {
        let lifetime = named.lifetime;
        sig.generics.params.insert(0, parse_quote!(#lifetime));
    }
}

/// Names the lifetimes that a signature leaves out, which it has to name in the bounds of a list.
struct NameLifetimes {
    lifetime: Lifetime,
    any: bool,
}

impl VisitMut for NameLifetimes {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(self.lifetime.clone());
            self.any = true;
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.lifetime.clone();
            self.any = true;
        }
    }

    fn visit_path_segment_mut(&mut self, segment: &mut PathSegment) {
        if segment.ident == "Cow"
            && let PathArguments::AngleBracketed(arguments) = &mut segment.arguments
            && !matches!(arguments.args.first(), Some(GenericArgument::Lifetime(_)))
        {
            arguments.args.insert(0, GenericArgument::Lifetime(self.lifetime.clone()));
            self.any = true;
        }
        // The lifetimes of `Fn(&str)` are its own.
        if let PathArguments::AngleBracketed(_) = &segment.arguments {
            visit_mut::visit_path_segment_mut(self, segment);
        }
    }

    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
}
