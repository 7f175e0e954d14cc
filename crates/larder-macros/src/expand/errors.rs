//! What becomes of a function's errors: shared, kept, and made for calls that take too long.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::names::{local_at, method_at, output_span, private, respanned};
use crate::function::Function;
use crate::model::Cached;

/// `let kind = …;`, for a kind that shares and keeps errors as the function says.
pub(super) fn let_sharing(model: &Cached, function: &Function) -> TokenStream {
    let (shared, kept) = (let_shared(model, function), let_kept(model, function));
    let timed_out = let_timed_out(model, function);
    quote!(#shared #kept #timed_out)
}

fn let_timed_out(model: &Cached, function: &Function) -> TokenStream {
    let Some(option) = model.deadline else {
        return TokenStream::new();
    };
    let private = private(&model.common);
    let span = output_span(function);
    let kind = local_at("kind", span);
    let check = complaint(&private, "check_deadline", &kind, option);
    // What an error lacks is a complaint about the function's output.
    let times_out = method_at(if has_default(model) { "times_out_or" } else { "times_out" }, span);
    let given = quote_spanned!(span=> #kind.#times_out());
    quote!(#check let #kind = #given;)
}

/// Whether a call that is not answered by its deadline is given a default, so that no error need be made for it.
pub(super) fn has_default(model: &Cached) -> bool {
    model.deadline.is_some() && model.or.is_some()
}

/// Does not compile where an option would do nothing. All of it at one place: the compiler shows no more than the option.
pub(super) fn complaint(private: &TokenStream, check: &str, kind: &Ident, option: Span) -> TokenStream {
    let span = Span::mixed_site().located_at(option);
    let check = method_at(check, span);
    respanned(quote!(#private::#check(&#kind);), span)
}

pub(super) fn let_kept(model: &Cached, function: &Function) -> TokenStream {
    let Some((option, chosen)) = &model.cache_err else {
        return TokenStream::new();
    };
    let private = private(&model.common);
    let kind = local_at("kind", output_span(function));
    let check = complaint(&private, "check_cache_err", &kind, *option);
    // What an error lacks is a complaint about the function's output, as what a value lacks is.
    let keep =
        method_at(if model.common.is_local { "keep_err_local" } else { "keep_err" }, output_span(function));
    let chosen = match chosen {
        Some(chosen) => quote!(#chosen),
        None => quote!(|_| true),
    };
    let given = quote_spanned!(output_span(function)=> #kind.#keep(#chosen));
    quote!(#check let #kind = #given;)
}

pub(super) fn let_shared(model: &Cached, function: &Function) -> TokenStream {
    let Some((option, share)) = &model.share_err else {
        return TokenStream::new();
    };
    let private = private(&model.common);
    let kind = local_at("kind", output_span(function));
    let check = complaint(&private, "check_share_err", &kind, *option);
    let given = quote_spanned!(Span::mixed_site().located_at(share.span())=> #kind.share_err(#share));
    quote!(#check let #kind = #given;)
}
