//! `#[cached]` over a function that returns a stream.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned as _;

use super::names::{local, local_at, method_at, output_span, private};
use super::policy;
use super::prologue::{Mode, cache, how, let_kind, opening};
use crate::function::{Function, has_impl_trait};
use crate::model::Cached;

/// How many items are stored, unless it is said.
const MAX_ITEMS: usize = 1_000;

/// What takes the place of the function's body. `key` is the closure that writes the key.
pub(super) fn statements(
    model: &Cached,
    stream: &Type,
    function: &Function,
    mode: Mode,
    key: &TokenStream,
) -> TokenStream {
    let private = private(&model.common);
    let span = output_span(function);
    let opening = opening(model, function, &let_kind(&model.common, function));
    let (cache, kind, items) = (cache(&model.common), local_at("kind", span), local_at("items", span));
    let let_items = quote_spanned!(span=> let #items = #kind.items(););
    let (name, call, how) = (local("function"), local("call"), how(&private, mode));
    let begin = quote_spanned!(span=> #items.begin(#cache, #name, #how, #key));
    let begin = match &model.when {
        None => begin,
        Some(when) => {
            let used = local("cached");
            quote! {{
                let #used: ::core::primitive::bool = #when;
                if #used { #begin } else { #private::StreamCall::bypass(#cache, #how) }
            }}
        }
    };
    let (policy, let_policy) = (local("policy"), policy::let_policy(&model.common, &model.policy, function));
    let (most, max_items) = (local("max_items"), max_items(model));
    let (source, let_source) = (local("source"), source(&private, stream, function));
    let terms = method_at(if model.common.is_local { "terms_local" } else { "terms" }, span);
    let open = method_at(if function.awaits() { "async_stream" } else { "stream" }, span);
    let opened = quote_spanned!(span=> #items.#open(#call, (#items.#terms(#policy), #most), #source));
    // One box, as for other functions.
    let opened = match function.awaits() {
        true => quote!(::std::boxed::Box::pin(#opened).await),
        false => opened,
    };
    let opened = match has_impl_trait(stream) {
        true => opened,
        false => quote!(::std::boxed::Box::pin(#opened)),
    };
    quote! {
        #opening
        #let_items
        let #call = #begin;
        #let_policy
        let #most: ::core::primitive::usize = #max_items;
        let #source = #let_source;
        #opened
    }
}

fn max_items(model: &Cached) -> TokenStream {
    match &model.max_items {
        Some(given) => quote_spanned!(Span::mixed_site().located_at(given.span())=> #given),
        None => quote!(#MAX_ITEMS),
    }
}

/// The expression that gives the source: the function's body, as a closure or a future.
fn source(private: &TokenStream, stream: &Type, function: &Function) -> TokenStream {
    let body = function.body();
    let span = Span::mixed_site().located_at(stream.span());
    match (function.awaits(), has_impl_trait(stream)) {
        (false, true) => quote!(move || { #(#body)* }),
        (false, false) => quote_spanned!(span=> move || -> #stream { #(#body)* }),
        (true, true) => quote!(async move { #(#body)* }),
        (true, false) => {
            // Never reached: the block's type is the declared one.
            let hint = quote_spanned!(span=> if false { return #private::never::<#stream>(); });
            quote!(async move { #hint #(#body)* })
        }
    }
}
