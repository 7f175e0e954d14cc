//! The statements that every generated function begins with: the cache, and what the function returns.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::identity;
use super::names::{local, local_at, method_at, output_span, private, respanned};
use crate::function::{Function, borrows_error};
use crate::model::{CacheExpr, Cached, Common};

/// Whether the machinery stands in the function itself, or in a hidden one that its companions call too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Inline,
    /// There is an argument `how: How`.
    Shared,
}

/// Brings the traits into scope whose methods choose by a concrete type. They have no names, so that nothing can meet
/// them.
pub(super) fn use_choices(common: &Common) -> TokenStream {
    let private = private(common);
    quote!(use #private::choices::*;)
}

/// The cache: the global one, or the local that is the one which was given. Errors about its type belong to the expression.
pub(super) fn cache(common: &Common) -> TokenStream {
    match &common.cache {
        CacheExpr::Global => {
            let private = private(common);
            quote!(#private::global())
        }
        CacheExpr::Given { expr, .. } => {
            local_at("cache", Span::mixed_site().located_at(expr.span())).into_token_stream()
        }
    }
}

/// `let cache = …;`, if one was given.
pub(super) fn let_cache(common: &Common) -> TokenStream {
    let CacheExpr::Given { expr, cloned } = &common.cache else {
        return TokenStream::new();
    };
    let (private, cache) = (private(common), cache(common));
    let span = Span::mixed_site().located_at(expr.span());
    let given = match cloned {
        false => quote!(&(#expr)),
        true => quote_spanned!(span=> &::core::clone::Clone::clone(&(#expr))),
    };
    let checked = quote_spanned! {span=>
        #private::check_cache(#cache);
        let #cache = (&#private::MaybeCache(#cache)).cache();
    };
    quote! {
        let #cache = #given;
        #checked
    }
}

/// What of the cache has the key, or the prefix, that `build` writes.
pub(super) fn target_of(common: &Common, what: &str, build: &TokenStream) -> TokenStream {
    let (private, cache) = (private(common), cache(common));
    let given = matches!(common.cache, CacheExpr::Given { .. });
    let what = method_at(&if given { format!("of_{what}") } else { what.to_owned() }, Span::mixed_site());
    match given {
        true => quote!(#private::Target::#what(#cache, #build)),
        false => quote!(#private::Target::#what(#build)),
    }
}

/// `let kind = …;`: what the function returns, through aliases.
pub(super) fn let_kind(common: &Common, function: &Function) -> TokenStream {
    let_kind_of(common, function, |kind| kind)
}

/// The same of a function that returns a list of what is cached: `shape` takes its kind for that of the values.
pub(super) fn let_kind_of(
    common: &Common,
    function: &Function,
    shape: impl FnOnce(TokenStream) -> TokenStream,
) -> TokenStream {
    let private = private(common);
    let output = &function.output;
    let span = output_span(function);
    let kind = local_at("kind", span);
    let (check, checked) = match common.is_local {
        false => (method_at("check", span), method_at("checked", span)),
        true => (method_at("check_local", span), method_at("checked_local", span)),
    };
    let found = match borrows_error(output) {
        false => quote_spanned!(span=> (&&&&&&&&#private::Returns::<#output>::new()).kind()),
        true => quote_spanned!(span=> #private::Returns::<#output>::new().with_borrowed_error()),
    };
    let found = shape(found);
    quote_spanned! {span=>
        let #kind = #found;
        #kind.#check();
        let #kind = (&#kind).#checked();
    }
}

/// What a function begins with that is looked up at once: the cache, what it returns (`let_kind`), and what it is called.
pub(super) fn opening(model: &Cached, function: &Function, let_kind: &TokenStream) -> TokenStream {
    let choices = use_choices(&model.common);
    let plain_self = plain_self(model, &private(&model.common));
    let let_cache = let_cache(&model.common);
    let (name, named) = (local("function"), identity::function(model, function));
    quote! {
        #choices
        #plain_self
        #let_cache
        #let_kind
        let #name = #named;
    }
}

/// Remembers how the function's values are compared, for the day when one comes back from a server as another one.
/// Stands where a computation begins, not where a hit runs.
pub(super) fn remember_comparison(common: &Common, function: &Function) -> TokenStream {
    if common.is_local {
        return TokenStream::new();
    }
    let private = private(common);
    let span = output_span(function);
    let kind = local_at("kind", span);
    quote_spanned!(span=> (&&&&#private::compared(#kind)).remember();)
}

/// Does not compile if `Self` has type or const parameters, and costs nothing if it does.
pub(super) fn plain_self(model: &Cached, private: &TokenStream) -> TokenStream {
    let Some(span) = model.plain_self else {
        return TokenStream::new();
    };
    let check = quote!(#private::check_self(&[(); #private::self_type::<Self>()]));
    // One span for all of it: the compiler has several complaints, and says the same at the same place once.
    let check = respanned(check, Span::call_site().located_at(span));
    quote!(#check;)
}

/// How the function is called.
pub(super) fn how(private: &TokenStream, mode: Mode) -> TokenStream {
    match mode {
        Mode::Inline => quote!(#private::How::Plain),
        Mode::Shared => local("how").into_token_stream(),
    }
}
