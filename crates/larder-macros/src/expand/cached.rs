//! `#[cached]`

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{
    body, cache, companions, let_cache, let_kind, local, local_at, output_span, policy, private,
    remember_comparison, respanned, text,
};
use crate::function::Function;
use crate::model::{Cached, Companions};

/// Whether the machinery stands in the function itself, or in a hidden one that `refresh` calls too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Inline,
    /// There is an argument `refreshing: bool`.
    Shared,
}

pub(crate) fn cached(model: &Cached, function: &Function) -> TokenStream {
    if model.companions == Companions::None {
        let item = machinery(model, function, Mode::Inline);
        // In an `impl` there is no room for it: a function that does not say where it stands stands in a module.
        let in_module = (!function.associated).then(|| {
            quote!(
                const _: () = ();
            )
        });
        return quote!(#item #in_module);
    }
    companions::function(model, function)
}

/// The function with the machinery in place of its body.
pub(super) fn machinery(model: &Cached, function: &Function, mode: Mode) -> syn::ItemFn {
    let mut item = body::with_statements(function, TokenStream::new());
    let patterns = match model.background {
        true => body::name_borrowed_patterns(&model.common, function, &mut item),
        false => TokenStream::new(),
    };
    let statements = statements(model, function, mode);
    let mut whole = body::with_statements(function, quote!(#patterns #statements));
    whole.sig = item.sig;
    whole
}

fn statements(model: &Cached, function: &Function, mode: Mode) -> TokenStream {
    let private = private(&model.common);
    let call = local("call");
    let let_cache = let_cache(&model.common);
    let let_kind = let_kind(&model.common, function);
    let key = text::build(&private, &model.key);
    let let_call = let_call(model, function, mode, &key);
    let plain_self = plain_self(model, &private);
    let policy_local = local("policy");
    let policy = policy::policy(&private, &model.policy, function);

    let Some(when) = &model.when else {
        let compute = compute(model, function, mode, computation_of(model, function));
        return quote! {
            #plain_self
            #let_cache
            #let_kind
            #let_call
            let #policy_local = #policy;
            #compute
        };
    };
    // The body stands once, so it is named before it is known who runs it.
    let (cached, computation) = (local("cached"), local("computation"));
    let let_computation = computation_of(model, function);
    let compute = compute(model, function, mode, quote!(#computation));
    let fresh = future_of(model, &computation);
    let some = quote!(::core::option::Option::Some);
    let none = quote!(::core::option::Option::None);
    quote! {
        #plain_self
        #let_cache
        #let_kind
        let #cached: bool = #when;
        let #cached = if #cached {
            #let_call
            let #policy_local = #policy;
            #some((#call, #policy_local))
        } else {
            #none
        };
        let #computation = #let_computation;
        match #cached {
            #some((#call, #policy_local)) => { #compute }
            #none => #private::bypass(#fresh).await,
        }
    }
}

/// Does not compile if `Self` has type or const parameters, and costs nothing if it does.
fn plain_self(model: &Cached, private: &TokenStream) -> TokenStream {
    let Some(span) = model.plain_self else {
        return TokenStream::new();
    };
    let check = quote!(#private::check_self(&[(); #private::self_type::<Self>()]));
    // One span for all of it: the compiler has several complaints, and says the same at the same place once.
    let check = respanned(check, Span::call_site().located_at(span));
    quote!(#check;)
}

/// Returns what the cache has, or else names the call that goes on.
fn let_call(model: &Cached, function: &Function, mode: Mode, key: &TokenStream) -> TokenStream {
    let span = output_span(function);
    let (cache, call, value) = (cache(&model.common), local("call"), local("value"));
    let kind = local_at("kind", span);
    let look = match mode {
        Mode::Inline => quote!(true),
        Mode::Shared => {
            let refreshing = local("refreshing");
            quote!(!#refreshing)
        }
    };
    let begin = quote_spanned!(span=> #kind.begin(#cache, #look, #key));
    quote! {
        let #call = match #begin {
            ::core::result::Result::Ok(#value) => return #value,
            ::core::result::Result::Err(#call) => #call,
        };
    }
}

/// The body's future, or in the background form a closure that makes it.
fn computation_of(model: &Cached, function: &Function) -> TokenStream {
    match model.background {
        true => body::start(&model.common, function),
        false => body::future(&model.common, function),
    }
}

/// A computation's future: in the background form it is made by a closure.
fn future_of(model: &Cached, computation: &syn::Ident) -> TokenStream {
    match model.background {
        true => quote!(#computation()),
        false => quote!(#computation),
    }
}

/// The expression that computes, stores and gives the output.
fn compute(model: &Cached, function: &Function, mode: Mode, computation: TokenStream) -> TokenStream {
    let span = output_span(function);
    let (call, kind) = (local_at("call", span), local_at("kind", span));
    let policy = local_at("policy", span);
    let compute = match model.background {
        true => local_at("compute_background", span),
        false => local_at("compute", span),
    };
    let remember = remember_comparison(&model.common, function);
    let boxed = |future: TokenStream| quote_spanned!(span=> ::std::boxed::Box::pin(#future).await);
    if mode == Mode::Inline {
        let computed = boxed(quote_spanned!(span=> #kind.#compute(#call, #policy, #computation)));
        return quote!(#remember #computed);
    }
    let (refreshing, named) = (local("refreshing"), local("computation"));
    let fresh = future_of(model, &named);
    let refreshed = quote_spanned!(span=> #kind.refresh(#call, #policy, #fresh).await);
    let computed = quote_spanned!(span=> #kind.#compute(#call, #policy, #named).await);
    // One box and one await: a hit drops the future too, and the fewer states it has, the less that costs.
    let either = boxed(quote!(async move {
        if #refreshing {
            #refreshed
        } else {
            #computed
        }
    }));
    quote! {
        #remember
        let #named = #computation;
        #either
    }
}
