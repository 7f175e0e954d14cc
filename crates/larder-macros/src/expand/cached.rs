//! `#[cached]`

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::errors::{complaint, has_default, let_kept, let_shared, let_sharing};
use super::names::{local, local_at, method_at, output_span, private};
use super::prologue::{Mode, cache, how, let_cache, let_kind, plain_self, remember_comparison, use_choices};
use super::{body, identity, many, policy, stream, text};
use crate::function::Function;
use crate::model::Cached;
use crate::surroundings::Place;

/// The function without companions.
pub(super) fn alone(model: &Cached, function: &Function) -> TokenStream {
    let key = text::build(&private(&model.common), &model.key);
    let item = machinery(model, function, Mode::Inline, &key);
    // In an `impl` there is no room for it: a function of which nothing tells where it stands has to stand in a module.
    let is_unknown = function.surroundings.place == Place::Unknown && !function.associated;
    let in_module = is_unknown.then(|| {
        quote!(
            const _: () = ();
        )
    });
    quote!(#item #in_module)
}

/// The function with the machinery in place of its body. `key` is the closure that writes the key.
pub(super) fn machinery(model: &Cached, function: &Function, mode: Mode, key: &TokenStream) -> syn::ItemFn {
    if let Some(list) = &model.list {
        return many::machinery(model, list, function, mode, key);
    }
    let mut item = body::with_statements(function, TokenStream::new());
    let patterns = match model.background {
        true => body::name_borrowed_patterns(&model.common, function, &mut item),
        false => TokenStream::new(),
    };
    let statements = statements(model, function, mode, key);
    let mut whole = body::with_statements(function, quote!(#patterns #statements));
    whole.sig = item.sig;
    whole
}

fn statements(model: &Cached, function: &Function, mode: Mode, key: &TokenStream) -> TokenStream {
    if let Some(stream) = &function.stream {
        return stream::statements(model, stream, function, mode, key);
    }
    let private = private(&model.common);
    let call = local("call");
    let let_cache = let_cache(&model.common);
    let let_kind = let_kind(&model.common, function);
    let choices = use_choices(&model.common);
    let let_call = let_call(model, function, mode, key);
    let plain_self = plain_self(model, &private);
    let policy_local = local("policy");
    let let_policy = policy::let_policy(&model.common, &model.policy, function);

    let (computation, let_computation) = (local("computation"), computation_of(model, function));
    let compute = compute(model, function);
    let Some(when) = &model.when else {
        return quote! {
            #choices
            #plain_self
            #let_cache
            #let_kind
            #let_call
            #let_policy
            let #computation = #let_computation;
            #compute
        };
    };
    let cached = local("cached");
    let bypassed = match (function.is_blocking(), model.background) {
        (true, _) => quote!(#private::bypass_blocking(#computation)),
        (false, true) => quote!(#private::bypass(#computation()).await),
        (false, false) => quote!(#private::bypass(#computation).await),
    };
    let bypassed = match model.or {
        Some(_) => {
            let (shared, kept) = (let_shared(model, function), let_kept(model, function));
            let bypassed = or(model, function, ("or", bypassed));
            quote!({ #shared #kept #bypassed })
        }
        None => bypassed,
    };
    let some = quote!(::core::option::Option::Some);
    let none = quote!(::core::option::Option::None);
    quote! {
        #choices
        #plain_self
        #let_cache
        #let_kind
        let #cached: ::core::primitive::bool = #when;
        let #cached = if #cached {
            #let_call
            #let_policy
            #some((#call, #policy_local))
        } else {
            #none
        };
        let #computation = #let_computation;
        match #cached {
            #some((#call, #policy_local)) => { #compute }
            #none => #bypassed,
        }
    }
}

/// Returns what the cache has, or else names the call that goes on.
fn let_call(model: &Cached, function: &Function, mode: Mode, key: &TokenStream) -> TokenStream {
    let span = output_span(function);
    let (private, call) = (private(&model.common), local("call"));
    let cache = cache(&model.common);
    let kind = local_at("kind", span);
    let how = how(&private, mode);
    let (name, named) = (local("function"), identity::function(model, function));
    let begin = quote_spanned!(span=> #kind.begin(#cache, #name, #how, #key));
    // Not by a local, which the future would hold a place for.
    quote! {
        let #name = #named;
        let #call = #private::or_return!(#begin);
    }
}

/// The computation, which decides by its value whether that is stored.
fn computation_of(model: &Cached, function: &Function) -> TokenStream {
    let computation = body_of(model, function);
    let Some(unless) = &model.unless else {
        return computation;
    };
    let span = Span::mixed_site().located_at(unless.span());
    let (kind, body, output) = (local_at("kind", output_span(function)), local("body"), local("output"));
    let decide = quote_spanned!(span=> #kind.unless(&#output, #unless););
    match (function.is_blocking(), model.background) {
        (true, _) => quote!({
            let #body = #computation;
            move || { let #output = #body(); #decide #output }
        }),
        (false, true) => quote!({
            let #body = #computation;
            move || {
                let #body = #body();
                async move { let #output = #body.await; #decide #output }
            }
        }),
        (false, false) => quote!({
            let #body = #computation;
            async move { let #output = #body.await; #decide #output }
        }),
    }
}

/// The body's future, in the background form a closure that makes it, or the body itself as a closure.
fn body_of(model: &Cached, function: &Function) -> TokenStream {
    match (function.is_blocking(), model.background) {
        (true, _) => body::closure(function),
        (false, true) => body::start(&model.common, function),
        (false, false) => body::future(&model.common, function),
    }
}

/// The expression that computes, stores and gives the output.
fn compute(model: &Cached, function: &Function) -> TokenStream {
    let span = output_span(function);
    let (call, kind) = (local_at("call", span), local_at("kind", span));
    let (policy, computation) = (local_at("policy", span), local_at("computation", span));
    let its_terms = local_at("terms", span);
    let sharing = let_sharing(model, function);
    if function.is_blocking() {
        let computed = quote_spanned!(span=> #kind.compute_blocking(#call, #policy, #computation));
        let computed = or(model, function, ("or", computed));
        return quote!(#sharing #computed);
    }
    let compute = method_at(if model.background { "compute_background" } else { "compute" }, span);
    let terms = method_at(if model.common.is_local { "terms_local" } else { "terms" }, span);
    let remember = remember_comparison(&model.common, function);
    let let_terms = quote_spanned!(span=> let #its_terms = #kind.#terms(#policy););
    // One box and one await: a hit drops the future too, and the fewer states it has, the less that costs.
    let computed = quote_spanned! {span=>
        ::std::boxed::Box::pin(#kind.#compute(#call, #its_terms, #computation)).await
    };
    let (late, or_late) = match has_default(model) {
        true => {
            let late = method_at(if model.background { "start_may_be_late" } else { "may_be_late" }, span);
            (quote_spanned!(span=> let #computation = #kind.#late(#computation);), "or_late")
        }
        false => (TokenStream::new(), "or"),
    };
    let computed = or(model, function, (or_late, computed));
    quote!(#remember #sharing #let_terms #late #computed)
}

/// The output of an expression, or what the function gives in place of an error. `kind` has to be what
/// [`let_sharing`] makes of it.
fn or(model: &Cached, function: &Function, (method, computed): (&str, TokenStream)) -> TokenStream {
    let Some((option, default)) = &model.or else {
        return computed;
    };
    let private = private(&model.common);
    let span = output_span(function);
    let (kind, output) = (local_at("kind", span), local("output"));
    let check = complaint(&private, "check_or", &kind, *option);
    let span = Span::mixed_site().located_at(default.span());
    let method = method_at(method, span);
    let given = quote_spanned!(span=> #kind.#method(#output, || #default));
    quote!(#check let #output = #computed; #given)
}
