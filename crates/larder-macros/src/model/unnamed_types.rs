//! Types that are arguments too, and have no name that a key could hold: those of `impl Trait` and `dyn Trait`.

use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Token, Type, TypeParamBound};

use super::text::{Root, Text, Value};
use crate::errors::Errors;
use crate::function::{Argument, Function};
use crate::walk::{self, Node};

/// Traits through which a function sees no more of a value than its text, which is in the key. Not `Display`, which is
/// given the width and the precision of a placeholder: `{:.2}` shows `1` and `1.0` as two texts.
const TEXT: [&str; 3] = ["ToString", "AsRef", "Borrow"];
/// Traits that show nothing of a value.
const NOTHING: [&str; 7] = ["Send", "Sync", "Unpin", "Sized", "Copy", "Clone", "UnwindSafe"];

/// Reports each argument in the key of which only the value is there, where values of several types can be equal.
pub(super) fn check(function: &Function, key: &Text, errors: &mut Errors) {
    for (index, argument) in function.arguments.iter().enumerate() {
        let values: Vec<&Value> = key.values().filter(|value| value.root == Root::Argument(index)).collect();
        if values.is_empty() {
            continue;
        }
        let digested = values.iter().all(|value| value.digest.is_some());
        match hidden(&argument.ty, digested) {
            Some(Hidden::Impl(bounds)) => {
                errors.push(argument.ty.span(), of_impl(argument, &bounds));
            }
            // What a method or a field gives may tell the types apart.
            Some(Hidden::Dyn) if values.iter().all(|value| value.steps.is_empty()) => {
                errors.push(argument.ty.span(), of_dyn(argument));
            }
            _ => {}
        }
    }
}

fn name(argument: &Argument) -> String {
    argument.bindings.first().map(ToString::to_string).unwrap_or_default()
}

fn of_impl(argument: &Argument, bounds: &str) -> String {
    let name = name(argument);
    format!(
        "the type of `{name}` is an argument too, and `impl {bounds}` gives it no name: write a type parameter, \
         `T: {bounds}`, and put `<T>` into the key, or write `skip(T)` if values of different types that are equal \
         in the key may share a result"
    )
}

fn of_dyn(argument: &Argument) -> String {
    let name = name(argument);
    format!(
        "`{name}` can be of several types, and values of two of them can have the same text: put into the key what \
         tells the types apart too (a method of the trait, as in `<{name}.kind()>:<{name}>`), or write \
         `skip({name})` if the result does not depend on it"
    )
}

enum Hidden {
    /// With its bounds as they were written.
    Impl(String),
    Dyn,
}

/// What of an argument's type is not in the key: that has a digest of it if it is `digested`, and its text otherwise.
fn hidden(ty: &Type, digested: bool) -> Option<Hidden> {
    let mut hidden = None;
    walk::in_type(ty, |node| {
        match node {
            Node::ImplTrait(ty) if !shown(&ty.bounds, digested) => {
                hidden = Some(Hidden::Impl(written(&ty.bounds)));
            }
            Node::TraitObject(ty) if hidden.is_none() && !shown(&ty.bounds, digested) => {
                hidden = Some(Hidden::Dyn);
            }
            _ => {}
        }
        true
    });
    hidden
}

/// Whether the key has all that a function can see of a value by these bounds.
fn shown(bounds: &Punctuated<TypeParamBound, Token![+]>, digested: bool) -> bool {
    bounds.iter().all(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| {
            let is = |names: &[&str]| names.iter().any(|name| last.ident == name);
            is(&NOTHING) || (digested && last.ident == "Serialize") || (!digested && is(&TEXT))
        }),
        TypeParamBound::Lifetime(_) => true,
        _ => false,
    })
}

/// Tokens as people write them.
fn written(bounds: &Punctuated<TypeParamBound, Token![+]>) -> String {
    let text = quote::quote!(#bounds).to_string();
    let tight = [(" :: ", "::"), (" < ", "<"), (" >", ">"), ("& ", "&"), (" ,", ","), ("' ", "'")];
    tight.iter().fold(text, |text, (loose, tight)| text.replace(loose, tight))
}
