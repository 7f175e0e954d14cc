//! `#[invalidate]` and `#[cache_put]`: the body runs always.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;

use super::names::{local, method_at, output_span, private, respanned};
use super::prologue::{cache, let_cache, let_kind, remember_comparison, use_choices};
use super::text::{self, Arguments};
use super::{body, cached_calls, policy};
use crate::function::{Function, has_impl_trait};
use crate::model::{CachePut, Common, Condition, Each, Invalidate, Piece, Root, Target, TargetKind, Text};

pub(crate) fn invalidate(model: &Invalidate, function: &Function) -> TokenStream {
    let private = private(&model.common);
    let (guard, output) = (local("guard"), local("output"));
    let let_guard = let_guard(model);
    let (result, success) = (local("result"), local("success"));
    let (late, early): (Vec<_>, Vec<_>) = model.targets.iter().partition(|target| target.text.names_result());
    let early = early.into_iter().map(|target| add(&private, target));
    let (early_condition, late_condition) = conditions(model.condition.as_ref());

    let mut texts = TokenStream::new();
    let mut late_targets = TokenStream::new();
    let mut count = 0;
    for target in late {
        late_targets.extend(add_late(&private, target, &mut texts, &mut count));
    }
    let (mut named_early, mut before, mut after) = (TokenStream::new(), 0, 0);
    for function in &model.functions {
        if function.names_result() {
            named_early.extend(cached_calls::early_arguments(function, &mut before));
            late_targets.extend(cached_calls::late(&private, function, &mut after));
        } else {
            named_early.extend(cached_calls::early(&private, function));
        }
    }
    late_targets.extend(late_condition);
    let on_success = match late_targets.is_empty() {
        true => TokenStream::new(),
        false => quote! {
            if let ::core::option::Option::Some(#result) = #success {
                #late_targets
            }
        },
    };
    let run = run(&model.common, function);
    let finish = match function.is_blocking() {
        true => quote!(#guard.finish_blocking(#success);),
        false => quote!(#guard.finish(#success).await;),
    };
    let ty = annotation(function);
    let choices = use_choices(&model.common);
    // An output that is not done yet is an error about its type.
    let span = output_span(function);
    let find = respanned(quote!((&&&&&&&&#private::Returns::of(&#output)).success(&#output)), span);
    let statements = quote! {
        #choices
        #let_guard
        #(#early)*
        #named_early
        #early_condition
        #texts
        let #output #ty = #run;
        let #success = #find;
        #on_success
        let #success = #success.is_some();
        #finish
        #output
    };
    let item = body::with_statements(function, statements);
    quote!(#item)
}

/// The guard. Cached functions that are named have caches of their own.
fn let_guard(model: &Invalidate) -> TokenStream {
    let private = private(&model.common);
    let (guard, on_ok) = (local("guard"), model.on_ok);
    let softly = model.soft.then(|| quote!(#guard.softly();));
    if model.targets.is_empty() {
        return quote! {
            let mut #guard = #private::Invalidate::of_functions(#on_ok);
            #softly
        };
    }
    let (cache, let_cache) = (cache(&model.common), let_cache(&model.common));
    quote! {
        #let_cache
        let mut #guard = #private::Invalidate::new(#cache, #on_ok);
        #softly
    }
}

/// The expression that runs the body.
fn run(common: &Common, function: &Function) -> TokenStream {
    let private = private(common);
    match function.is_blocking() {
        true => {
            let body = body::closure(function);
            quote!(#private::call(#body))
        }
        false => {
            let body = body::future(common, function);
            quote!(#body.await)
        }
    }
}

fn annotation(function: &Function) -> TokenStream {
    let output = &function.output;
    match has_impl_trait(output) {
        true => TokenStream::new(),
        false => quote!(: #output),
    }
}

fn method(kind: TargetKind) -> Ident {
    let name = match kind {
        TargetKind::Key => "key",
        TargetKind::Prefix => "prefix",
        TargetKind::Tag => "tag",
    };
    method_at(name, Span::mixed_site())
}

fn add(private: &TokenStream, target: &Target) -> TokenStream {
    let (guard, method) = (local("guard"), method(target.kind));
    let element = local("element");
    let Some(each) = Each::of(&target.text, &element) else {
        let build = text::build(private, &target.text);
        return quote!(#guard.#method(#build););
    };
    let (list, build) = (list(&each), text::build(private, &each.text));
    quote!(for #element in #list { #guard.#method(#build); })
}

/// What a list's elements are gone through by.
fn list(each: &Each) -> TokenStream {
    text::place(&each.list, Arguments::InScope)
}

/// What switches the guard off: before the function, or when there is a result.
fn conditions(condition: Option<&Condition>) -> (TokenStream, TokenStream) {
    let Some(Condition { expr, of_result }) = condition else {
        return (TokenStream::new(), TokenStream::new());
    };
    let guard = local("guard");
    let span = Span::mixed_site().located_at(expr.span());
    let only_if = quote_spanned!(span=> #guard.only_if(#expr););
    match of_result {
        false => (only_if, TokenStream::new()),
        true => {
            // The name that the user's expression has for it.
            let (named, result) = (Ident::new("result", Span::call_site()), local("result"));
            (TokenStream::new(), quote!(let #named = #result; #only_if))
        }
    }
}

/// A target that names the result: what else it names is written before the body takes it.
fn add_late(
    private: &TokenStream,
    target: &Target,
    texts: &mut TokenStream,
    count: &mut usize,
) -> TokenStream {
    let (guard, key, method) = (local("guard"), local("key"), method(target.kind));
    let element = local("element");
    let each = Each::of(&target.text, &element);
    let text = each.as_ref().map_or(&target.text, |each| &each.text);
    let mut statements = TokenStream::new();
    let mut early: Vec<Piece> = Vec::new();
    let mut flush = |early: &mut Vec<Piece>, statements: &mut TokenStream| {
        let pieces = std::mem::take(early);
        if pieces.iter().all(|piece| matches!(piece, Piece::Literal(_))) {
            statements.extend(text::statements(private, &pieces, Arguments::InScope));
            return;
        }
        let name = local(&format!("text_{count}"));
        *count += 1;
        let build = text::build(private, &Text(pieces));
        texts.extend(quote!(let #name = #private::early(#build);));
        statements.extend(quote!(#name.write(#key);));
    };
    for piece in &text.0 {
        match piece {
            Piece::Value(value) if matches!(value.root, Root::Result | Root::Element) => {
                flush(&mut early, &mut statements);
                statements.extend(text::statements(private, std::slice::from_ref(piece), Arguments::InScope));
            }
            other => early.push(other.clone()),
        }
    }
    flush(&mut early, &mut statements);
    let add = quote!(#guard.#method(|#key| { #statements }););
    match each.as_ref().map(list) {
        Some(list) => quote!(for #element in #list { #add }),
        None => add,
    }
}

pub(crate) fn cache_put(model: &CachePut, function: &Function) -> TokenStream {
    let private = private(&model.common);
    let let_cache = let_cache(&model.common);
    let let_kind = let_kind(&model.common, function);
    let (cache, put, kind) = (cache(&model.common), local("put"), local("kind"));
    let (policy_local, output) = (local("policy"), local("output"));
    let key = text::build(&private, &model.key);
    let let_policy = policy::let_policy(&model.common, &model.policy, function);
    let run = run(&model.common, function);
    let store = match (function.is_blocking(), model.common.is_local) {
        (true, _) => quote!(#put.store_blocking(#kind.value(&#output), #policy_local);),
        (false, true) => quote!(#put.store_local(#kind.value(&#output), #policy_local).await;),
        (false, false) => quote!(#put.store(#kind.value(&#output), #policy_local).await;),
    };
    let ty = annotation(function);
    let remember = remember_comparison(&model.common, function);
    let choices = use_choices(&model.common);
    let statements = quote! {
        #choices
        #let_cache
        #let_kind
        let #put = #private::Put::begin(#cache, #key);
        #let_policy
        let #output #ty = #run;
        #remember
        #store
        #output
    };
    let item = body::with_statements(function, statements);
    quote!(#item)
}
