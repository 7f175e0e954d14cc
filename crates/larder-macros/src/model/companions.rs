//! `user::key(id)`, `user::invalidate(id)`, `user::refresh(…)`: what a function gets beside itself.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{GenericParam, Generics, WhereClause, WherePredicate};

use super::cache_expr::CacheExpr;
use super::text::{Piece, Root, Text};
use crate::args::Args;
use crate::errors::Errors;
use crate::function::Function;
use crate::surroundings::Place;
use crate::tokens;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Companions {
    None,
    /// Associated functions of an empty type with the function's name.
    Type,
    /// Methods beside the method.
    Siblings,
}

impl Companions {
    pub(super) fn choose(args: &Args, function: &Function, errors: &mut Errors) -> Self {
        let associated = function.is_boxed() || function.associated;
        let in_trait_impl = function.is_boxed() || function.surroundings.place == Place::TraitImpl;
        let type_is_taken = function.surroundings.type_is_taken || is_route(function);
        let in_use = names_module(function);
        match &args.companions {
            Some(given) if !given.value => Self::None,
            Some(given) if in_trait_impl => {
                errors.push(
                    given.name.span(),
                    match function.surroundings.place {
                        Place::Impl => "a method that returns a future has no companions: write an `async fn`, or remove `companions`",
                        _ => "a trait's method cannot have companions, because an `impl` of a trait has \
                              room only for the trait's own methods: remove `companions`",
                    },
                );
                Self::None
            }
            Some(_) if associated => Self::Siblings,
            None if associated || type_is_taken || in_use => Self::None,
            Some(given) if type_is_taken => {
                let name = function.name();
                let message = format!(
                    "there is no room for the companions: they are functions of a type `{name}`, and a module or a \
                     type beside this function, or what an attribute below this one makes, has that name; remove \
                     `companions`, or rename one of the two"
                );
                errors.push(given.name.span(), message);
                Self::None
            }
            _ => Self::Type,
        }
    }
}

/// Whether an attribute below makes a type of the function's name, as the routes of Actix Web and Rocket do.
fn is_route(function: &Function) -> bool {
    const ROUTES: [&str; 11] =
        ["get", "post", "put", "delete", "patch", "head", "options", "connect", "trace", "route", "routes"];
    let name =
        |attribute: &syn::Attribute| attribute.path().segments.last().map(|last| last.ident.to_string());
    let names = function.item.attrs.iter().filter_map(name);
    names.into_iter().any(|name| ROUTES.contains(&name.as_str()))
}

/// Whether the function itself writes `user::Entity`, where it is called `user`: a glob import brought a module of the name,
/// which the type of the companions would hide.
fn names_module(function: &Function) -> bool {
    const COMPANIONS: [&str; 6] = ["key", "invalidate", "mark_stale", "refresh", "warm", "with_outcome"];
    let is_other = |name: &str| !COMPANIONS.contains(&name) && !name.starts_with("__");
    tokens::begins_path(function.item.to_token_stream(), &function.name(), &is_other)
}

/// What the key and the cache are made from: the inputs of `key` and `invalidate`.
pub(crate) struct KeyInputs {
    pub(crate) receiver: bool,
    /// Places in `Function::arguments`.
    pub(crate) arguments: Vec<usize>,
    pub(crate) generics: Generics,
}

impl KeyInputs {
    pub(crate) fn new(function: &Function, key: &Text, cache: &CacheExpr) -> Self {
        let cache = cache.tokens();
        let receiver = function.receiver.is_some()
            && (key.values().any(|value| value.root == Root::Receiver) || tokens::mention(&cache, "self"));
        let arguments: Vec<usize> = (0..function.arguments.len())
            .filter(|index| {
                let argument = &function.arguments[*index];
                let in_key = key.values().any(|value| value.root == Root::Argument(*index));
                let in_cache =
                    argument.bindings.iter().any(|name| tokens::mention(&cache, &name.to_string()));
                in_key || in_cache
            })
            .collect();

        let mut seeds = cache;
        for index in &arguments {
            function.arguments[*index].ty.to_tokens(&mut seeds);
        }
        for piece in &key.0 {
            match piece {
                Piece::TypeName { path, .. } => path[0].to_tokens(&mut seeds),
                Piece::Value(value) if matches!(value.root, Root::ConstParameter | Root::Type) => {
                    value.ident.to_tokens(&mut seeds);
                }
                _ => {}
            }
        }
        Self { receiver, arguments, generics: needed(&function.item.sig.generics, seeds) }
    }
}

/// The parameters that the seeds name, the parameters that those name in their bounds, and the
/// `where` clauses about nothing else.
fn needed(generics: &Generics, seeds: TokenStream) -> Generics {
    let all: BTreeSet<String> = generics.params.iter().map(name).collect();
    let mut kept = names(seeds, &all);
    loop {
        let mut grown = kept.clone();
        for param in generics.params.iter().filter(|param| kept.contains(&name(param))) {
            grown.extend(names(param.to_token_stream(), &all));
        }
        for predicate in predicates(generics) {
            if kept.contains(&subject(predicate, &all)) {
                grown.extend(names(predicate.to_token_stream(), &all));
            }
        }
        if grown == kept {
            break;
        }
        kept = grown;
    }

    let params = generics.params.iter().filter(|param| kept.contains(&name(param)));
    let clauses: Vec<_> = predicates(generics)
        .filter(|predicate| {
            let named = names(predicate.to_token_stream(), &all);
            !named.is_empty() && named.is_subset(&kept)
        })
        .collect();
    let mut needed = Generics { params: params.cloned().collect(), ..Generics::default() };
    if !clauses.is_empty() {
        let clause: syn::Result<WhereClause> = syn::parse2(quote!(where #(#clauses),*));
        needed.where_clause = clause.ok();
    }
    needed
}

fn predicates(generics: &Generics) -> impl Iterator<Item = &WherePredicate> {
    generics.where_clause.iter().flat_map(|clause| &clause.predicates)
}

/// The parameter that a `where` clause is about.
fn subject(predicate: &WherePredicate, all: &BTreeSet<String>) -> String {
    let tokens = match predicate {
        WherePredicate::Type(predicate) => predicate.bounded_ty.to_token_stream(),
        WherePredicate::Lifetime(predicate) => predicate.lifetime.to_token_stream(),
        _ => TokenStream::new(),
    };
    names(tokens, all).into_iter().next().unwrap_or_default()
}

fn name(param: &GenericParam) -> String {
    match param {
        GenericParam::Lifetime(param) => param.lifetime.ident.to_string(),
        GenericParam::Type(param) => param.ident.to_string(),
        GenericParam::Const(param) => param.ident.to_string(),
    }
}

/// Which of `all` stand in the tokens.
fn names(tokens: TokenStream, all: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                let ident = ident.to_string();
                if all.contains(&ident) {
                    found.insert(ident);
                }
            }
            TokenTree::Group(group) => found.extend(names(group.stream(), all)),
            _ => {}
        }
    }
    found
}
