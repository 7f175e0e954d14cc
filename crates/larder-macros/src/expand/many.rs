//! `#[cached_many]`

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{FnArg, ItemFn, Pat, PatIdent, Type};

use super::body::Owned;
use super::errors::let_sharing;
use super::names::{local, local_at, method_at, output_span, private, respanned};
use super::prologue::{Mode, cache, how, let_kind_of, opening, remember_comparison};
use super::{body, policy};
use crate::function::{Argument, Function, Ownership};
use crate::model::{Cached, List};
use crate::walk::{self, Node};

/// The function with the machinery in place of its body. `key` is the closure that writes the key of one element.
pub(super) fn machinery(
    model: &Cached,
    list: &List,
    function: &Function,
    mode: Mode,
    key: &TokenStream,
) -> ItemFn {
    let mut named = body::with_statements(function, TokenStream::new());
    let patterns = match model.background {
        true => body::name_borrowed_patterns(&model.common, function, &mut named),
        false => TokenStream::new(),
    };
    let statements = statements(model, list, function, mode, key);
    let mut item = body::with_statements(function, quote!(#patterns #statements));
    item.sig = named.sig;
    // The body has clones of its own, which alone are changed.
    for argument in &function.arguments {
        if let Some(FnArg::Typed(typed)) = item.sig.inputs.get_mut(argument.index)
            && !function.is_boxed()
        {
            *typed.pat = body::without_mut(&typed.pat);
        }
    }
    item
}

fn statements(
    model: &Cached,
    list: &List,
    function: &Function,
    mode: Mode,
    key: &TokenStream,
) -> TokenStream {
    let private = private(&model.common);
    let span = output_span(function);
    let element_type = &list.element_type;
    // All of it at one place, where the compiler says the same once.
    let of_list = method_at(list.order.function(), span);
    let of_list = respanned(quote!(#private::#of_list), span);
    let shape = |kind: TokenStream| quote_spanned!(span=> #of_list::<#element_type, _>(#kind));
    let opening = opening(model, function, &let_kind_of(&model.common, function, shape));
    let let_policy = policy::let_policy(&model.common, &model.policy, function);
    let (cache, kind) = (cache(&model.common), local_at("kind", span));
    let (site, many) = (local("function"), local("many"));
    let how = how(&private, mode);
    let begin = quote_spanned!(span=> #kind.begin(#cache, #site, #how));
    let at_most = model.max_batch_size.as_ref().map(|most| {
        let at = Span::mixed_site().located_at(most.span());
        quote_spanned!(at=> let #kind = #kind.at_most(#most);)
    });
    let when = model.when.as_ref().map(|when| quote!(#many.when(#when);));
    let add = add(list, function, &private, key);
    let (policy_local, computation) = (local("policy"), computation(model, list, function));
    let remember = remember_comparison(&model.common, function);
    let unshared = match model.share_err {
        Some(_) => TokenStream::new(),
        None => quote_spanned!(span=> let #kind = #kind.unshared();),
    };
    let sharing = let_sharing(model, function);
    let terms = method_at(if model.common.is_local { "terms_local" } else { "terms" }, span);
    let compute = method_at(if model.background { "compute_background" } else { "compute" }, span);
    let unstored = match &model.unless {
        Some(unless) => quote!(#unless),
        None => quote!(#private::all_stored),
    };
    let computed = quote_spanned! {span=>
        ::std::boxed::Box::pin(
            #kind.#compute(#many, #kind.#terms(#policy_local), #unstored, #computation)
        ).await
    };
    quote! {
        #opening
        #at_most
        let mut #many = #begin;
        #when
        #add
        #let_policy
        #remember
        #unshared
        #sharing
        #computed
    }
}

/// Adds each element, with its key.
fn add(list: &List, function: &Function, private: &TokenStream, key: &TokenStream) -> TokenStream {
    let (element, many, text) = (&list.element, local("many"), local("text"));
    let name = function.arguments[list.index].name();
    let all = match list.is_borrowed {
        true => quote!(#name),
        false => quote!(&#name),
    };
    let span = Span::mixed_site().located_at(function.arguments[list.index].ty.span());
    let elements = quote_spanned!(span=> #private::elements(#all));
    quote! {
        for #element in #elements {
            let #text = #many.key(#key);
            #many.add(#element, #text);
        }
    }
}

/// The body as a closure, which is called with the elements that have no value; in the background form, what makes it.
fn computation(model: &Cached, list: &List, function: &Function) -> TokenStream {
    let private = private(&model.common);
    let missing = local("missing");
    let clones = function
        .arguments
        .iter()
        .enumerate()
        .filter(|(index, argument)| *index != list.index && argument.ownership == Ownership::Owned)
        .map(|(_, argument)| clones(&private, argument));
    let rebind = rebind(&private, list, &function.arguments[list.index]);
    if !model.background {
        let body = body::future_after(&model.common, function, (&rebind, function.body()));
        return quote! {
            move |#missing: ::std::vec::Vec<_>| {
                #(#clones)*
                #body
            }
        };
    }
    let Owned { copies, names, loans, body } = Owned::new(&model.common, function, Some(list.index));
    // Each run has copies of its own: made of the borrowed form, for an owned one need not be `Clone`.
    let again = names.iter().map(
        |name| quote_spanned!(name.span()=> let #name = (&#private::Loan(#private::lend(&#name))).own();),
    );
    let body = body::future_after(&model.common, function, (&quote!(#rebind #loans), &body));
    quote! {
        move || {
            #copies
            move |#missing: ::std::vec::Vec<_>| {
                #(#again)*
                #(#clones)*
                #body
            }
        }
    }
}

/// `let ids = …;`, of the elements that have no value.
fn rebind(private: &TokenStream, list: &List, argument: &Argument) -> TokenStream {
    let (missing, owned, pattern) = (local("missing"), local("owned"), &argument.pattern);
    let uses = body::uses(private, argument);
    let list_type = &list.list_type;
    match (&list.list_type, list.is_borrowed) {
        (Type::Slice(_), _) => quote!(let #pattern = &#missing[..]; #uses),
        (_, true) => quote! {
            let #owned: #list_type = ::core::iter::Iterator::collect(::core::iter::IntoIterator::into_iter(#missing));
            let #pattern = &#owned;
            #uses
        },
        (_, false) => quote! {
            let #pattern: #list_type = ::core::iter::Iterator::collect(::core::iter::IntoIterator::into_iter(#missing));
            #uses
        },
    }
}

/// Each run of the body takes what it owns.
fn clones(private: &TokenStream, argument: &Argument) -> TokenStream {
    let mut names: Vec<PatIdent> = Vec::new();
    walk::in_pattern(&argument.pattern, |node| {
        if let Node::PatIdent(pattern) = node {
            names.push(pattern.clone());
        }
        true
    });
    let cfgs = &argument.cfgs;
    let span = Span::mixed_site().located_at(argument.ty.span());
    let clones = names.into_iter().filter(|name| name.by_ref.is_none()).map(|name| {
        let ident = &name.ident;
        let pattern = Pat::Ident(PatIdent { subpat: None, ..name.clone() });
        let again = quote_spanned!(span=> #private::again(&#ident));
        quote!(#(#cfgs)* let #pattern = #again;)
    });
    let clones: TokenStream = clones.collect();
    let uses = body::uses(private, argument);
    quote!(#clones #uses)
}
