//! `#[limited]`: the body runs if the call is admitted.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned as _;

use super::names::{local, output_span, private};
use super::prologue::{cache, let_cache, use_choices};
use super::{body, text};
use crate::args::Rate;
use crate::function::{Function, has_impl_trait};
use crate::model::Limited;

pub(crate) fn limited(model: &Limited, function: &Function) -> TokenStream {
    let private = private(&model.common);
    let (cache, let_cache) = (cache(&model.common), let_cache(&model.common));
    let (call, refused) = (local("call"), local("refused"));
    let (choices, rate) = (use_choices(&model.common), rate(model, &private));
    let key = text::build(&private, &model.key);
    let options: TokenStream =
        [("burst", &model.burst), ("cost", &model.cost), ("failure_mode", &model.failure)]
            .into_iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| option(name, value)))
            .chain(model.common.is_local.then(|| quote!(.local())))
            .collect();
    // What is counted in this process is known at once.
    let refusal = match function.is_blocking() {
        true => quote!(#call.refused_here()),
        false => quote!(#call.refused().await),
    };
    let give = give(&private, function);
    // The traits of `choices` are in scope in a block of their own: they must not meet the body's method calls.
    let check = quote! {
        if let ::core::option::Option::Some(#refused) = {
            #choices
            #let_cache
            let #call = #private::LimitedCall::new(#cache, #rate, #key) #options;
            let #refused = #refusal;
            #refused
        } {
            return #give(#refused);
        }
    };
    let body = function.body();
    let item = body::with_statements(function, quote!(#check #(#body)*));
    quote!(#item)
}

fn rate(model: &Limited, private: &TokenStream) -> TokenStream {
    match &model.rate {
        Rate::Literal { units, milliseconds, burst } => {
            let burst = burst.unwrap_or(*units);
            quote!(const { #private::rate(#units, #milliseconds, #burst) })
        }
        Rate::Expr(expr) => {
            let span = Span::mixed_site().located_at(model.rate_span);
            let rate = local("rate");
            quote_spanned!(span=> { let #rate: #private::Rate = #expr; #rate })
        }
    }
}

fn option(name: &str, value: &Expr) -> TokenStream {
    let span = Span::mixed_site().located_at(value.span());
    let setter = syn::Ident::new(name, span);
    quote_spanned!(span=> .#setter(#value))
}

/// Turns a refusal into the function's output. A complaint about the output belongs to it.
fn give(private: &TokenStream, function: &Function) -> TokenStream {
    let output = &function.output;
    let span = output_span(function);
    match has_impl_trait(output) {
        true => quote_spanned!(span=> #private::limited),
        false => quote_spanned!(span=> #private::limited::<#output>),
    }
}
