//! `user::key(id)`, `user::invalidate(id)`, `user::mark_stale(id)`, `user::refresh(…)`, or `user_key` and so on.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, FnArg, ItemFn, parse_quote};

use super::attributes::{inherited, lints, uses_of_others};
use super::body;
use super::cached::machinery;
use super::companion_names::{Names, turbofish};
use super::hidden_function::{own, shares_first, signature_and_call};
use super::key_arguments::signature;
use super::key_builder::KeyBuilder;
use super::names::{local, our_visibility, ours, ours_at, private};
use super::prologue::{Mode, let_cache, target_of, use_choices};
use super::{targets, warm};
use crate::function::{Function, cfgs, has_impl_trait};
use crate::model::{CacheExpr, Cached, Companions, FallbackItems, KeyInputs};

/// The function, the hidden one that does its work, and the companions.
pub(super) fn function(model: &Cached, function: &Function) -> TokenStream {
    let (names, keyed) = (Names::new(model, function), model.keyed(function));
    let key_builder = KeyBuilder::new(model, keyed, &names);
    let run = run(model, function, &names, &key_builder);
    let private = private(&model.common);
    let mut outer =
        delegate(function, &names, function.item.sig.ident.clone(), &quote!(#private::How::Plain));
    let refresh = refresh(function, &names, &private);
    let with_outcome = with_outcome(model, function, &names);
    let warm = warm::function(model, function, &names);
    let key_functions = key_functions(model, keyed, &names, &key_builder);
    let (targets, write_key) = (targets::functions(model, keyed, &names, &key_builder), &key_builder.item);
    match model.companions {
        Companions::Type => {
            let vis = our_visibility(&function.item.vis);
            let name = ours(&function.item.sig.ident);
            let inherited = inherited(&function.item.attrs);
            outer.attrs.extend(documentation(&names, model, keyed));
            // Rustdoc cannot tell a link to the function from one to a type of its name, so that there is no such
            // type where it looks. It looks into the body of an `async fn` where a trait wants a future to be `Send`.
            if outer.sig.asyncness.is_some() {
                let call = std::mem::take(&mut outer.block.stmts);
                let body = quote!(#[cfg(not(doc))] { #(#call)* } #[cfg(doc)] { ::core::unreachable!() });
                outer.block.stmts = vec![syn::Stmt::Expr(syn::Expr::Verbatim(body), None)];
            }
            quote! {
                #outer

                #(#inherited)*
                #[cfg(not(doc))]
                #[doc(hidden)]
                #[non_exhaustive]
                #vis struct #name {}

                #(#inherited)*
                #[cfg(not(doc))]
                impl #name {
                    #key_functions
                    #refresh
                    #with_outcome
                    #warm
                    #targets
                    #write_key
                    #run
                }
            }
        }
        _ => quote!(#outer #key_functions #refresh #with_outcome #warm #targets #write_key #run),
    }
}

/// What the function's documentation says of a type that the documentation does not have.
fn documentation(names: &Names, model: &Cached, function: &Function) -> Vec<Attribute> {
    let is_doc = |attr: &Attribute| attr.path().is_ident("doc");
    if !function.item.attrs.iter().any(is_doc) {
        return Vec::new();
    }
    let inputs = KeyInputs::new(function, &model.key, &model.common.cache);
    let given: Vec<String> = inputs
        .arguments
        .iter()
        .map(|index| {
            let argument = &function.arguments[*index];
            argument.name().map_or_else(|| "_".to_owned(), |name| name.unraw().to_string())
        })
        .collect();
    let (name, given) = (&names.function, given.join(", "));
    let mut text = format!(
        "\n\nCached: `{name}::key({given})` is the key, `{name}::invalidate({given})` drops the result; with all \
         arguments, `{name}::refresh(…)` computes it anew"
    );
    text += &format!(", and `{name}::with_outcome(…)` tells where it came from.");
    vec![parse_quote!(#[cfg_attr(doc, doc = #text)])]
}

/// The hidden function with the machinery and the body.
fn run(model: &Cached, function: &Function, names: &Names, key_builder: &KeyBuilder) -> TokenStream {
    // Where it is in scope, arguments have names at the mixed site that do not begin with `__`, or are ours.
    let (how, private) = (local("how"), private(&model.common));
    let ItemFn { attrs, mut sig, block, .. } = machinery(model, function, Mode::Shared, &key_builder.closure);
    let statements = &block.stmts;
    let (lints, cfgs) = (lints(&attrs), cfgs(&attrs));
    own(&mut sig, names.run.clone());
    let uses = uses_of_others(&attrs, function, &private);
    let at = usize::from(function.receiver.is_some());
    match sig.inputs.get_mut(at) {
        Some(FnArg::Typed(first)) if shares_first(function) => {
            let (pattern, ty) = (&first.pat, &first.ty);
            *first = parse_quote!((#how, #pattern): (#private::How, #ty));
        }
        _ => sig.inputs.insert(at, parse_quote!(#how: #private::How)),
    }
    quote! {
        #(#cfgs)*
        #(#lints)*
        #sig { #uses #(#statements)* }
    }
}

/// The function under another name, whose body calls the hidden one.
fn delegate(function: &Function, names: &Names, name: Ident, how: &TokenStream) -> ItemFn {
    let (mut item, mut call) = signature_and_call(function, names, name, how);
    if function.awaits() {
        call.extend(quote!(.await));
    }
    item.block.stmts = vec![syn::Stmt::Expr(syn::Expr::Verbatim(call), None)];
    item
}

fn refresh(function: &Function, names: &Names, private: &TokenStream) -> TokenStream {
    let mut item = delegate(function, names, names.refresh.clone(), &quote!(#private::How::Refresh));
    let (cfgs, lints) = (cfgs(&item.attrs), lints(&item.attrs));
    own(&mut item.sig, names.refresh.clone());
    let (vis, sig, block) = (our_visibility(&item.vis), &item.sig, &item.block);
    let doc = format!(" Computes `{}` anew, whatever the cache has, and stores the result.", names.function);
    quote! {
        #(#cfgs)*
        #(#lints)*
        #[doc = #doc]
        #vis #sig #block
    }
}

/// The function, with what became of the call.
fn with_outcome(model: &Cached, function: &Function, names: &Names) -> TokenStream {
    let private = private(&model.common);
    let how = local("how");
    let (mut item, call) =
        signature_and_call(function, names, names.with_outcome.clone(), &how.to_token_stream());
    let (cfgs, lints) = (cfgs(&item.attrs), lints(&item.attrs));
    own(&mut item.sig, names.with_outcome.clone());
    item.sig.output = observed_output(function, model.list.is_some(), &model.common.krate);
    let (vis, sig) = (our_visibility(&item.vis), &item.sig);
    let observed = match (function.is_blocking(), &model.list) {
        _ if function.stream.is_some() => match function.awaits() {
            true => quote!(#private::observed_async_stream(|#how| #call).await),
            false => quote!(#private::observed_stream(|#how| #call)),
        },
        (true, _) => quote!(#private::observed_blocking(|#how| #call)),
        (false, None) => quote!(#private::observed(|#how| #call).await),
        (false, Some(_)) => quote!(#private::observed_many(|#how| #call).await),
    };
    let (name, each) = (&names.function, if model.list.is_some() { " of each element" } else { "" });
    let doc =
        format!(" Calls `{name}`, and tells where the result{each} came from, and whether it was stored.");
    quote! {
        #(#cfgs)*
        #(#lints)*
        #[doc = #doc]
        #[inline]
        #vis #sig { #observed }
    }
}

/// The output, with what became of the call: of each element, if there is a list.
fn observed_output(function: &Function, of_list: bool, krate: &syn::Path) -> syn::ReturnType {
    let output = function.stream.as_ref().unwrap_or(&function.output);
    match of_list {
        _ if function.stream.is_some() => parse_quote!(-> (#output, #krate::StreamOutcome)),
        false => parse_quote!(-> (#output, #krate::Outcome)),
        true => parse_quote!(-> (#output, ::std::vec::Vec<#krate::Outcome>)),
    }
}

/// `key`, `invalidate` and `mark_stale`.
fn key_functions(
    model: &Cached,
    function: &Function,
    names: &Names,
    key_builder: &KeyBuilder,
) -> TokenStream {
    let krate = &model.common.krate;
    let inputs = KeyInputs::new(function, &model.key, &model.common.cache);
    let (arguments, parameters) = (signature(function, &inputs), &inputs.generics.params);
    let where_clause = &inputs.generics.where_clause;
    let vis = our_visibility(&function.item.vis);
    let (cfgs, lints) = (cfgs(&function.item.attrs), lints(&function.item.attrs));
    let (key, invalidate, mark_stale) = (&names.key, &names.invalidate, &names.mark_stale);
    let name = &names.function;
    let key_doc = format!(" The full key under which `{name}` keeps its result for these arguments.");
    let invalidate_doc =
        format!(" Drops what `{name}` keeps for these arguments, as `CacheExt::invalidate` does.");
    let mark_stale_doc =
        format!(" Marks what `{name}` keeps for these arguments, as `CacheExt::mark_stale` does.");
    let target = target(model, function, (names, &inputs), key_builder);
    quote! {
        #(#cfgs)*
        #(#lints)*
        #[doc = #key_doc]
        #[must_use]
        #vis fn #key<#parameters>(#(#arguments),*) -> ::std::string::String #where_clause {
            #target.into_key()
        }

        #(#cfgs)*
        #(#lints)*
        #[doc = #invalidate_doc]
        #vis fn #invalidate<#parameters>(#(#arguments),*) -> #krate::Invalidating #where_clause {
            #target.invalidate()
        }

        #(#cfgs)*
        #(#lints)*
        #[doc = #mark_stale_doc]
        #vis fn #mark_stale<#parameters>(#(#arguments),*) -> #krate::Invalidating #where_clause {
            #target.mark_stale()
        }
    }
}

/// What the function keeps for the arguments of a companion: that of the hidden one, if it takes the same.
fn target(
    model: &Cached,
    function: &Function,
    (names, inputs): (&Names, &KeyInputs),
    key_builder: &KeyBuilder,
) -> TokenStream {
    let writes_key = key_builder.item.is_empty();
    let arguments: Vec<_> = inputs.arguments.iter().map(|index| &function.arguments[*index]).collect();
    let given: Option<Vec<_>> = arguments.iter().map(|argument| argument.name()).collect();
    if let (Companions::Type, false, Some(given)) = (model.companions, writes_key, given) {
        let (owner, target) = (&names.owner, &names.target);
        let turbofish = turbofish(&inputs.generics.params);
        let cfgs = arguments.iter().map(|argument| &argument.cfgs);
        return quote!(#owner::#target #turbofish(#(#(#cfgs)* #given),*));
    }
    let (private, let_cache) = (private(&model.common), let_cache(&model.common));
    let is_given = matches!(model.common.cache, CacheExpr::Given { .. });
    let choices = (is_given || writes_key).then(|| use_choices(&model.common));
    let used = if writes_key { &arguments[..] } else { &[] };
    let uses = used.iter().map(|argument| body::uses(&private, argument));
    let target = target_of(&model.common, "key", &key_builder.closure);
    quote! {
        {
            #choices
            #(#uses)*
            #let_cache
            #target
        }
    }
}

/// Companions that only type-check, so that an error in the attribute is no error in its callers.
pub(crate) fn fallback_items(known: &FallbackItems, function: &Function) -> TokenStream {
    let returned = function.stream.as_ref().unwrap_or(&function.output);
    if known.companions != Companions::Type || has_impl_trait(returned) {
        return TokenStream::new();
    }
    let krate = &known.common.krate;
    let keyed = known.list.as_ref().map_or(function, |list| &list.of_one);
    let inputs = KeyInputs::new(keyed, &known.key, &known.common.cache);
    let (arguments, parameters) = (signature(keyed, &inputs), &inputs.generics.params);
    let where_clause = &inputs.generics.where_clause;
    let (vis, name) = (our_visibility(&function.item.vis), ours(&function.item.sig.ident));
    let private = private(&known.common);
    let inherited = inherited(&function.item.attrs);
    let (mut uses, mut all) = (TokenStream::new(), TokenStream::new());
    for (index, argument) in function.arguments.iter().enumerate() {
        all.extend(body::uses(&private, argument));
        if inputs.arguments.contains(&index) {
            uses.extend(body::uses(&private, &keyed.arguments[index]));
        }
    }
    let mut refresh = function.item.clone();
    refresh.attrs.clear();
    own(&mut refresh.sig, Ident::new("refresh", ours_at(name.span())));
    for input in &mut refresh.sig.inputs {
        if let FnArg::Typed(typed) = input {
            *typed.pat = body::without_mut(&typed.pat);
        }
    }
    refresh.block = parse_quote!({ #all ::core::unreachable!() });
    let mut with_outcome = refresh.clone();
    with_outcome.sig.ident = Ident::new("with_outcome", ours_at(name.span()));
    with_outcome.sig.output = observed_output(function, known.list.is_some(), krate);
    let targets = targets::fallback(known, &function.item.vis, (&arguments, &inputs, &uses));
    quote! {
        #(#inherited)*
        #vis struct #name {}

        #(#inherited)*
        impl #name {
            #vis fn key<#parameters>(#(#arguments),*) -> ::std::string::String #where_clause {
                #uses
                ::core::unreachable!()
            }
            #vis fn invalidate<#parameters>(#(#arguments),*) -> #krate::Invalidating #where_clause {
                #uses
                ::core::unreachable!()
            }
            #vis fn mark_stale<#parameters>(#(#arguments),*) -> #krate::Invalidating #where_clause {
                #uses
                ::core::unreachable!()
            }
            #refresh
            #with_outcome
            #targets
        }
    }
}
