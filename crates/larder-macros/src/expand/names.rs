//! Names and spans of generated code.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned as _;
use syn::{Path, Visibility};

use crate::function::Function;
use crate::model::Common;

/// `::larder::private`
pub(super) fn private(common: &Common) -> TokenStream {
    let krate: &Path = &common.krate;
    quote!(#krate::private)
}

/// A local that no name of the user's can meet: no other local, by its span, and no constant, static, or unit struct,
/// which a pattern would name, by how it begins.
pub(super) fn local(name: &str) -> Ident {
    local_at(name, Span::mixed_site())
}

/// The same at the place that an error about it belongs to.
pub(super) fn local_at(name: &str, span: Span) -> Ident {
    format_ident!("__{name}", span = span)
}

/// A method or a function of larder's, at the place that an error about it belongs to.
pub(super) fn method_at(name: &str, span: Span) -> Ident {
    Ident::new(name, span)
}

/// A name that the user wrote, for a generated item: lints about the item are silent. Items are found by their names
/// alone, whatever the span.
pub(super) fn ours(name: &Ident) -> Ident {
    at(name, ours_at(name.span()))
}

/// A name at a span of this crate, whose edition has keywords that the user's may not have.
pub(super) fn at(name: &Ident, span: Span) -> Ident {
    if name == "gen" {
        return Ident::new_raw("gen", span);
    }
    let mut name = name.clone();
    name.set_span(span);
    name
}

pub(super) fn ours_at(span: Span) -> Span {
    span.resolved_at(Span::call_site())
}

/// The same for `pub(crate)` and the like.
pub(super) fn our_visibility(visibility: &Visibility) -> TokenStream {
    let tokens = visibility.to_token_stream().into_iter().map(|mut token| {
        token.set_span(ours_at(token.span()));
        token
    });
    tokens.collect()
}

/// The tokens, all at one span.
pub(super) fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
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

/// Errors about the value's type belong to the type that was written.
pub(super) fn output_span(function: &Function) -> Span {
    Span::mixed_site().located_at(function.output.span())
}
