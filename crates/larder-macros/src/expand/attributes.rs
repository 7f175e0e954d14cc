//! What becomes of a function's attributes on what is made for it.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{AttrStyle, Attribute, parse_quote};

use super::body;
use crate::function::{Function, cfgs};

/// What everything that is made for a function shares with it.
pub(super) fn inherited(attrs: &[Attribute]) -> Vec<Attribute> {
    let mut inherited = cfgs(attrs);
    let hidden = attrs.iter().filter(|attr| {
        attr.path().is_ident("doc") && attr.meta.to_token_stream().to_string() == "doc (hidden)"
    });
    inherited.extend(hidden.cloned());
    inherited
}

/// The lints that the user set for the function, which what is made for it shares.
pub(super) fn lints(attrs: &[Attribute]) -> Vec<Attribute> {
    let is_lint = |attr: &&Attribute| {
        ["allow", "warn", "deny", "forbid", "expect"].iter().any(|name| attr.path().is_ident(name))
    };
    let outer = |attr: Attribute| Attribute { style: AttrStyle::Outer, ..unexpected(attr) };
    attrs.iter().filter(is_lint).cloned().map(outer).collect()
}

/// `expect` becomes `allow`: of two functions made from one, only one has what is expected.
pub(super) fn unexpected(mut attr: Attribute) -> Attribute {
    if attr.path().is_ident("expect")
        && let syn::Meta::List(list) = &mut attr.meta
    {
        list.path = parse_quote!(allow);
    }
    attr
}

/// Uses the arguments that another attribute of the function may be alone in using: it stays with the function that calls
/// the hidden one.
pub(super) fn uses_of_others(attrs: &[Attribute], function: &Function, private: &TokenStream) -> TokenStream {
    const USING: [&str; 2] = ["instrument", "limited"];
    let is_using = |attr: &Attribute| {
        attr.path().segments.last().is_some_and(|last| USING.iter().any(|using| last.ident == using))
    };
    if !attrs.iter().any(is_using) {
        return TokenStream::new();
    }
    let named = function.arguments.iter().filter(|argument| argument.name().is_some());
    named.map(|argument| body::uses(private, argument)).collect()
}
