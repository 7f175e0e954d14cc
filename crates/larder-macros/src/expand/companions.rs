//! `user::key(id)`, `user::invalidate(id)`, `user::refresh(…)`, or `user_key` and so on.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt as _;
use syn::{Attribute, FnArg, GenericParam, ItemFn, Signature, parse_quote};

use super::cached::{Mode, machinery};
use super::{body, cache, let_cache, local, private, text};
use crate::function::{Function, cfgs, has_impl_trait};
use crate::model::{Cached, Companions, KeyInputs, Outline};

/// The function, the hidden one that does its work, and the companions.
pub(super) fn function(model: &Cached, function: &Function) -> TokenStream {
    let names = Names::new(model, function);
    let run = run(model, function, &names);
    let outer = delegate(function, &names, function.item.sig.ident.clone(), false);
    let refresh = refresh(function, &names);
    let key_functions = key_functions(model, function, &names);
    match model.companions {
        Companions::Type => {
            let vis = &function.item.vis;
            let name = &function.item.sig.ident;
            let inherited = inherited(&function.item.attrs);
            let doc = format!(
                "What belongs to the function `{name}`: its key, and how to drop or renew its result."
            );
            quote! {
                #outer

                #(#inherited)*
                #[doc = #doc]
                #[allow(
                    dead_code,
                    missing_copy_implementations,
                    missing_debug_implementations,
                    non_camel_case_types,
                    unreachable_pub,
                    clippy::exhaustive_structs
                )]
                #vis struct #name {}

                #(#inherited)*
                impl #name {
                    #key_functions
                    #refresh
                    #run
                }
            }
        }
        _ => quote!(#outer #key_functions #refresh #run),
    }
}

/// What the generated functions are called, and how the hidden one is reached.
struct Names {
    key: Ident,
    invalidate: Ident,
    refresh: Ident,
    run: Ident,
    /// `user` or `Self`.
    owner: Ident,
    /// A key, as a doc comment shows it.
    function: String,
}

impl Names {
    fn new(model: &Cached, function: &Function) -> Self {
        let name = &function.item.sig.ident;
        let plain = name.unraw();
        let span = name.span();
        match model.companions {
            Companions::Siblings => Self {
                key: format_ident!("{plain}_key", span = span),
                invalidate: format_ident!("{plain}_invalidate", span = span),
                refresh: format_ident!("{plain}_refresh", span = span),
                run: format_ident!("__{plain}_run", span = span),
                owner: Ident::new("Self", Span::call_site()),
                function: plain.to_string(),
            },
            _ => Self {
                key: Ident::new("key", span),
                invalidate: Ident::new("invalidate", span),
                refresh: Ident::new("refresh", span),
                run: Ident::new("__run", span),
                owner: name.clone(),
                function: plain.to_string(),
            },
        }
    }
}

/// What everything that is made for a function shares with it.
fn inherited(attrs: &[Attribute]) -> Vec<Attribute> {
    let mut inherited = cfgs(attrs);
    let hidden = attrs.iter().filter(|attr| {
        attr.path().is_ident("doc") && attr.meta.to_token_stream().to_string() == "doc (hidden)"
    });
    inherited.extend(hidden.cloned());
    inherited
}

fn is_lint(attr: &Attribute) -> bool {
    ["allow", "warn", "deny", "forbid", "expect"].iter().any(|name| attr.path().is_ident(name))
}

/// A companion repeats the function's signature; what there is to say of it is said of the function.
fn quiet() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            private_interfaces,
            unreachable_pub,
            unused_mut,
            unused_variables,
            clippy::all,
            clippy::pedantic
        )]
    }
}

/// The hidden function with the machinery and the body.
fn run(model: &Cached, function: &Function, names: &Names) -> TokenStream {
    let refreshing = local("refreshing");
    let ItemFn { attrs, mut sig, block, .. } = machinery(model, function, Mode::Shared);
    let lints = attrs.iter().filter(|attr| is_lint(attr)).cloned().map(unexpected);
    let cfgs = cfgs(&attrs);
    sig.ident = names.run.clone();
    let at = usize::from(function.receiver.is_some());
    sig.inputs.insert(at, parse_quote!(#refreshing: bool));
    quote! {
        #(#cfgs)*
        #[allow(
            clippy::extra_unused_type_parameters,
            clippy::needless_lifetimes,
            clippy::too_many_arguments
        )]
        #(#lints)*
        #sig #block
    }
}

/// `expect` becomes `allow`: of two functions made from one, only one has what is expected.
fn unexpected(mut attr: Attribute) -> Attribute {
    if attr.path().is_ident("expect")
        && let syn::Meta::List(list) = &mut attr.meta
    {
        list.path = parse_quote!(allow);
    }
    attr
}

/// The function under another name, whose body calls the hidden one.
fn delegate(function: &Function, names: &Names, name: Ident, refreshing: bool) -> ItemFn {
    let mut item = function.item.clone();
    item.sig.ident = name;
    item.attrs = item.attrs.into_iter().map(unexpected).collect();
    let (owner, run) = (&names.owner, &names.run);
    let turbofish = turbofish(&function.item.sig);
    let mut values = Vec::new();
    if let Some(receiver) = &function.receiver {
        let receiver = &receiver.ident;
        values.push(quote!(#receiver));
    }
    values.push(quote!(#refreshing));
    for argument in &function.arguments {
        let name = body::renamed(argument);
        let cfgs = &argument.cfgs;
        values.push(quote!(#(#cfgs)* #name));
        if let Some(FnArg::Typed(typed)) = item.sig.inputs.get_mut(argument.index) {
            *typed.pat = parse_quote!(#name);
        }
    }
    if let Some(FnArg::Receiver(receiver)) = item.sig.inputs.first_mut() {
        receiver.mutability = None;
    }
    // Passing `_name` on is no use of it.
    item.attrs.push(parse_quote!(#[allow(unknown_lints, clippy::used_underscore_binding)]));
    let call = quote!(#owner::#run #turbofish(#(#values),*).await);
    item.block.stmts = vec![syn::Stmt::Expr(syn::Expr::Verbatim(call), None)];
    item
}

/// `::<T, N>`: parameters that no argument may tell. Lifetimes are inferred.
fn turbofish(sig: &Signature) -> TokenStream {
    let params: Vec<_> = sig
        .generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    match params.is_empty() {
        true => TokenStream::new(),
        false => quote!(::<#(#params),*>),
    }
}

fn refresh(function: &Function, names: &Names) -> TokenStream {
    let mut item = delegate(function, names, names.refresh.clone(), true);
    item.attrs = cfgs(&function.item.attrs);
    let doc = format!("Computes `{}` anew, whatever the cache has, and stores the result.", names.function);
    let quiet = quiet();
    quote! {
        #[doc = #doc]
        #quiet
        #item
    }
}

/// `key` and `invalidate`.
fn key_functions(model: &Cached, function: &Function, names: &Names) -> TokenStream {
    let krate = &model.common.krate;
    let private = private(&model.common);
    let inputs = KeyInputs::new(function, &model.key, &model.common.cache);
    let (arguments, parameters) = (signature(function, &inputs), &inputs.generics.params);
    let where_clause = &inputs.generics.where_clause;
    let let_cache = let_cache(&model.common);
    let cache = cache(&model.common);
    let build = text::build(&private, &model.key);
    let vis = &function.item.vis;
    let cfgs = cfgs(&function.item.attrs);
    let (key, invalidate) = (&names.key, &names.invalidate);
    let (name, quiet) = (&names.function, quiet());
    let key_doc = format!("The full key under which `{name}` keeps its result for these arguments.");
    let invalidate_doc =
        format!("Drops what `{name}` keeps for these arguments, as `CacheExt::invalidate` does.");
    quote! {
        #(#cfgs)*
        #[doc = #key_doc]
        #[must_use]
        #quiet
        #vis fn #key<#parameters>(#(#arguments),*) -> ::std::string::String #where_clause {
            #let_cache
            #private::Call::new(#cache, #build).into_key()
        }

        #(#cfgs)*
        #[doc = #invalidate_doc]
        #quiet
        #vis fn #invalidate<#parameters>(#(#arguments),*) -> #krate::Invalidating #where_clause {
            #let_cache
            #private::Call::new(#cache, #build).invalidate()
        }
    }
}

/// The arguments of `key` and `invalidate`.
fn signature(function: &Function, inputs: &KeyInputs) -> Vec<FnArg> {
    let all = &function.item.sig.inputs;
    let receiver = inputs.receiver.then(|| parse_quote!(&self));
    let arguments = inputs.arguments.iter().filter_map(|index| {
        let mut input = all.get(function.arguments[*index].index)?.clone();
        if let FnArg::Typed(typed) = &mut input
            && let syn::Pat::Ident(pattern) = &mut *typed.pat
        {
            pattern.mutability = None;
        }
        Some(input)
    });
    receiver.into_iter().chain(arguments).collect()
}

/// Companions that only type-check, so that an error in the attribute is no error in its callers.
pub(crate) fn outline(outline: &Outline, function: &Function) -> TokenStream {
    if outline.companions != Companions::Type || has_impl_trait(&function.output) {
        return TokenStream::new();
    }
    let krate = &outline.common.krate;
    let inputs = KeyInputs::new(function, &outline.key, &outline.common.cache);
    let (arguments, parameters) = (signature(function, &inputs), &inputs.generics.params);
    let where_clause = &inputs.generics.where_clause;
    let (vis, name) = (&function.item.vis, &function.item.sig.ident);
    let inherited = inherited(&function.item.attrs);
    let mut refresh = function.item.clone();
    refresh.attrs.clear();
    refresh.sig.ident = Ident::new("refresh", name.span());
    refresh.block = parse_quote!({ ::core::unreachable!() });
    quote! {
        #(#inherited)*
        #[allow(non_camel_case_types, dead_code)]
        #vis struct #name {}

        #(#inherited)*
        #[allow(dead_code, unused_variables, unused_mut)]
        impl #name {
            #vis fn key<#parameters>(#(#arguments),*) -> ::std::string::String #where_clause {
                ::core::unreachable!()
            }
            #vis fn invalidate<#parameters>(#(#arguments),*) -> #krate::Invalidating #where_clause {
                ::core::unreachable!()
            }
            #refresh
        }
    }
}
