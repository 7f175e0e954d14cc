//! A model becomes tokens: thin calls by absolute path into `larder::private`.
//!
//! Every local is named at the mixed site, so that no argument can be called the same.
//!
//! Nothing allows a lint, which would be an error where the lint is forbidden. What is ours has spans of the expansion
//! ([`ours`]), where the compiler and Clippy are silent; what the user wrote keeps its own.

mod body;
mod cached;
mod companions;
mod policy;
mod text;
mod writes;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Path, Visibility};

use crate::function::Function;
use crate::model::{Common, Place};

pub(crate) use cached::cached;
pub(crate) use companions::outline;
pub(crate) use writes::{cache_put, invalidate};

/// `::larder::private`
fn private(common: &Common) -> TokenStream {
    let krate: &Path = &common.krate;
    quote!(#krate::private)
}

/// A local of ours.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// A name that the user wrote, for an item that is ours: lints about the item are silent. Items are found by their
/// names alone, whatever the span.
fn ours(name: &Ident) -> Ident {
    let mut name = name.clone();
    name.set_span(ours_at(name.span()));
    name
}

fn ours_at(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// The same for `pub(crate)` and the like.
fn our_visibility(visibility: &Visibility) -> TokenStream {
    let tokens = visibility.to_token_stream().into_iter().map(|mut token| {
        token.set_span(ours_at(token.span()));
        token
    });
    tokens.collect()
}

/// The tokens, all at one span.
fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    let tokens = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), respanned(group.stream(), span));
            inner.set_span(span);
            TokenTree::Group(inner)
        }
        // Which crate it is lies in its span.
        TokenTree::Ident(ident) if ident == "$crate" => TokenTree::Ident(ident),
        mut token => {
            token.set_span(span);
            token
        }
    });
    tokens.collect()
}

/// The same at the place that an error about it belongs to.
fn local_at(name: &str, span: Span) -> Ident {
    Ident::new(name, span)
}

/// Errors about the value's type belong to the type that was written.
fn output_span(function: &Function) -> Span {
    Span::mixed_site().located_at(function.output.span())
}

/// The local that is the cache; errors about its type belong to the expression.
fn cache(common: &Common) -> Ident {
    match &common.cache {
        Place::Global => local("cache"),
        Place::Expr { expr, .. } => local_at("cache", Span::mixed_site().located_at(expr.span())),
    }
}

/// `let cache = …;`
fn let_cache(common: &Common) -> TokenStream {
    let private = private(common);
    let cache = cache(common);
    let Place::Expr { expr, cloned } = &common.cache else {
        return quote!(let #cache = #private::global(););
    };
    let span = Span::mixed_site().located_at(expr.span());
    let place = match cloned {
        false => quote!(&(#expr)),
        true => quote_spanned!(span=> &::core::clone::Clone::clone(&(#expr))),
    };
    let checked = quote_spanned! {span=>
        #private::check_cache(#cache);
        let #cache = {
            use #private::{PlaceCache as _, PlaceNothing as _};
            (&#private::Place(#cache)).placed()
        };
    };
    quote! {
        let #cache = #place;
        #checked
    }
}

/// `let kind = …;`: what the function returns, through aliases.
fn let_kind(common: &Common, function: &Function) -> TokenStream {
    let private = private(common);
    let output = &function.output;
    let span = output_span(function);
    let (returns, kind) = (local("returns"), local_at("kind", span));
    // The glob import must not reach the user's type.
    quote_spanned! {span=>
        let #returns = #private::Returns::<#output>::new();
        let #kind = {
            use #private::kind::*;
            (&&&&&&&&#returns).kind()
        };
        #kind.check();
        let #kind = {
            use #private::{Cacheable as _, Uncacheable as _};
            (&#kind).checked()
        };
    }
}

/// Remembers how the function's values are compared, for the day when one comes back from a server as another one.
/// Stands where a computation begins, not where a hit runs.
fn remember_comparison(common: &Common, function: &Function) -> TokenStream {
    let private = private(common);
    let span = output_span(function);
    let (compared, kind) = (local("compared"), local_at("kind", span));
    quote_spanned! {span=>
        {
            use #private::comparison::*;
            let #compared = #private::comparison::compared(#kind);
            (&&&&#compared).remember();
        }
    }
}
