//! The hidden companions that `#[invalidate]` asks when it names a cached function: what one call has a key for, and what
//! all calls have.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote};
use syn::{FnArg, Visibility};

use super::attributes::lints;
use super::body;
use super::companion_names::Names;
use super::key_arguments::signature;
use super::key_builder::KeyBuilder;
use super::names::{our_visibility, private};
use super::prologue::{cache, let_cache, target_of, use_choices};
use super::text;
use crate::function::{Function, cfgs};
use crate::model::{CacheExpr, Cached, Companions, FallbackItems, Head, KeyInputs, Text};

/// Both functions.
pub(super) fn functions(
    model: &Cached,
    function: &Function,
    names: &Names,
    key_builder: &KeyBuilder,
) -> TokenStream {
    let private = private(&model.common);
    let (cache, build) = (cache(&model.common), &key_builder.closure);
    let one = target_of(&model.common, "key", build);
    let (what, all) = match model.key.head() {
        Head::Whole(text) => {
            let build = text::build(&private, &text);
            (quote!(Target), target_of(&model.common, "key", &build))
        }
        Head::Prefix(text) => {
            let build = text::build(&private, &text);
            (quote!(Target), target_of(&model.common, "prefix", &build))
        }
        Head::None => (quote!(NoPrefix), quote!(#private::NoPrefix::of(#cache))),
    };
    let inputs = KeyInputs::new(function, &model.key, &model.common.cache);
    let of_cache = KeyInputs::new(function, &Text::default(), &model.common.cache);
    let one =
        item(model, function, &names.target, (inputs, quote!(Target)), (&one, key_builder.item.is_empty()));
    let all = item(model, function, &names.all, (of_cache, what), (&all, false));
    quote!(#one #all)
}

fn item(
    model: &Cached,
    function: &Function,
    name: &Ident,
    (mut inputs, what): (KeyInputs, TokenStream),
    (body, writes_key): (&TokenStream, bool),
) -> TokenStream {
    let private = private(&model.common);
    // As the method is called.
    inputs.receiver |= model.companions == Companions::Siblings && function.receiver.is_some();
    let (arguments, parameters) = (signature(function, &inputs), &inputs.generics.params);
    let where_clause = &inputs.generics.where_clause;
    let used = if writes_key { &inputs.arguments[..] } else { &[] };
    let uses = used.iter().map(|index| body::uses(&private, &function.arguments[*index]));
    let is_given = matches!(model.common.cache, CacheExpr::Given { .. });
    let choices = (is_given || writes_key).then(|| use_choices(&model.common));
    let let_cache = let_cache(&model.common);
    let (cfgs, vis) = (cfgs(&function.item.attrs), our_visibility(&function.item.vis));
    let lints = lints(&function.item.attrs);
    quote! {
        #(#cfgs)*
        #(#lints)*
        #[doc(hidden)]
        #vis fn #name<#parameters>(#(#arguments),*) -> #private::#what #where_clause {
            #choices
            #(#uses)*
            #let_cache
            #body
        }
    }
}

/// The same, type-checked alone.
pub(super) fn fallback(
    known: &FallbackItems,
    vis: &Visibility,
    (arguments, inputs, uses): (&[FnArg], &KeyInputs, &TokenStream),
) -> TokenStream {
    let private = private(&known.common);
    let parameters = inputs.generics.params.to_token_stream();
    let where_clause = &inputs.generics.where_clause;
    let vis = our_visibility(vis);
    quote! {
        #[doc(hidden)]
        #vis fn __target<#parameters>(#(#arguments),*) -> #private::Target #where_clause {
            #uses
            ::core::unreachable!()
        }
        #[doc(hidden)]
        #vis fn __all() -> #private::Target {
            ::core::unreachable!()
        }
    }
}
