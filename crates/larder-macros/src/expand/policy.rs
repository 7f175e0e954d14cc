//! `Options::new(…)…policy()`

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned as _;

use super::names::{local, local_at, method_at, output_span, private, respanned};
use super::prologue::cache;
use super::text;
use crate::args::{Fraction, Time};
use crate::function::Function;
use crate::model::{Basis, Common, Policy};

/// `let policy = …;`, and what does not compile where an option would do nothing.
pub(super) fn let_policy(common: &Common, policy: &Policy, function: &Function) -> TokenStream {
    let (private, cache) = (&private(common), cache(common));
    let kind = local_at("kind", output_span(function));
    let mut statements = TokenStream::new();
    let checks = [
        ("check_negative_ttl", policy.needs_option),
        ("check_stale_if_error", policy.needs_result),
        ("check_retry_after", policy.needs_failure),
    ];
    for (check, span) in checks {
        if let Some(span) = span {
            let span = Span::mixed_site().located_at(span);
            let check = method_at(check, span);
            // All of it at one place: the compiler shows no more than the option.
            statements.extend(respanned(quote!(#private::#check(&#kind);), span));
        }
    }
    let (name, policy) = (local("policy"), options((private, &cache), policy, function));
    quote!(#statements let #name = #policy;)
}

fn options(
    (private, cache): (&TokenStream, &TokenStream),
    policy: &Policy,
    function: &Function,
) -> TokenStream {
    let mut options = match &policy.basis {
        Basis::Ttl(Time::Literal(ttl)) if ttl.subsec_nanos() == 0 => {
            let seconds = ttl.as_secs();
            quote!(#private::Options::secs(#seconds))
        }
        Basis::Ttl(ttl) => {
            let ttl = time(private, ttl);
            quote!(#private::Options::new(#ttl))
        }
        Basis::Named(name) => quote!(#private::Options::named(#name)),
        Basis::OfCache => quote!(#private::Options::of_cache(#cache)),
    };
    let fractions = [("jitter", &policy.jitter), ("refresh_ahead", &policy.refresh_ahead)];
    for (name, value) in fractions {
        if let Some(value) = value {
            let setter = syn::Ident::new(name, Span::mixed_site());
            let value = fraction(private, name, value, function);
            options.extend(quote!(.#setter(#value)));
        }
    }
    let times = [
        ("adaptive_to", &policy.adaptive_to),
        ("stale_while_revalidate", &policy.stale_while_revalidate),
        ("stale_if_error", &policy.stale_if_error),
        ("memory_ttl", &policy.memory_ttl),
        ("negative_ttl", &policy.negative_ttl),
        ("cache_err", &policy.cache_err),
        ("timeout", &policy.timeout),
        ("retry_after", &policy.retry_after),
        ("deadline", &policy.deadline),
        ("idle", &policy.idle),
        ("takeover_after", &policy.takeover_after),
    ];
    for (name, value) in times {
        if let Some(value) = value {
            let setter = syn::Ident::new(name, Span::mixed_site());
            let value = time(private, value);
            options.extend(quote!(.#setter(#value)));
        }
    }
    for tag in &policy.tags {
        let build = text::build(private, tag);
        options.extend(quote!(.tag(#build)));
    }
    if let Some(lock) = &policy.lock {
        options.extend(quote!(.lock(#lock)));
    }
    if let Some(schema) = policy.schema {
        options.extend(quote!(.schema(#schema)));
    }
    if policy.spawn {
        options.extend(quote!(.spawn()));
    }
    if policy.detached {
        options.extend(quote!(.detached()));
    }
    quote!(#options.policy())
}

fn time(private: &TokenStream, time: &Time) -> TokenStream {
    match time {
        Time::Literal(duration) => {
            let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
            quote!(::core::time::Duration::new(#seconds, #nanoseconds))
        }
        // Not where a length of time is expected: see `args::value::time`.
        Time::Named(name) => quote!(::core::compile_error!(#name)),
        Time::Expr(expr) => {
            let span = Span::mixed_site().located_at(expr.span());
            let duration = local("duration");
            // What is named has a type, of which more can be said.
            let is_named = matches!(expr, Expr::Path(_) | Expr::Field(_));
            if is_named {
                return quote_spanned!(span=> #private::duration(#expr));
            }
            quote_spanned! {span=>
                { let #duration: ::core::time::Duration = #expr; #duration }
            }
        }
    }
}

fn fraction(private: &TokenStream, name: &str, fraction: &Fraction, function: &Function) -> TokenStream {
    let expr = match fraction {
        Fraction::Literal(value) => return quote!(#value),
        Fraction::Expr(expr) => expr,
    };
    let span = Span::mixed_site().located_at(expr.span());
    let value = quote_spanned!(span=> #private::fraction(#name, #expr));
    // An item is looked at even if the function is never called, but has none of the parameters around it.
    let parameters = function.associated || function.parameters().next().is_some();
    match parameters {
        true => quote_spanned!(span=> const { #value }),
        false => {
            quote_spanned!(span=> { const LARDER_FRACTION: ::core::primitive::f64 = #value; LARDER_FRACTION })
        }
    }
}
