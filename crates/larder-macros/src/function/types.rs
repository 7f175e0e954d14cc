//! What can be told about a type from how it is written.

use syn::punctuated::Punctuated;
use syn::{
    AngleBracketedGenericArguments, GenericArgument, Ident, Lifetime, PathArguments, Token, Type,
    TypeParamBound,
};

use crate::walk::{self, Node};

/// How a function has an argument: as its own, or borrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// `T`, `&'static T`
    Owned,
    /// `&T`
    Shared,
    /// `&mut T`
    Exclusive,
}

/// Through the groups that `macro_rules!` leaves, and parentheses.
pub(super) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        other => other,
    }
}

pub(super) fn ownership(ty: &Type) -> Ownership {
    match bare(ty) {
        Type::Reference(reference) if reference.mutability.is_some() => Ownership::Exclusive,
        Type::Reference(reference) if is_static(reference.lifetime.as_ref()) => Ownership::Owned,
        Type::Reference(_) => Ownership::Shared,
        _ => Ownership::Owned,
    }
}

fn is_static(lifetime: Option<&Lifetime>) -> bool {
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}

/// Whether a returned type is, or gives as its value, a reference; one that is `'static` only if it does not stay in this
/// process.
pub(crate) fn is_reference(ty: &Type, stays: bool) -> bool {
    match bare(ty) {
        Type::Reference(reference) => !stays || !is_static(reference.lifetime.as_ref()),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            (last.ident == "Result" || last.ident == "Option")
                && first_argument(&last.arguments).is_some_and(|inner| is_reference(inner, stays))
        }),
        _ => false,
    }
}

/// Whether what a function gives as its value can be seen to borrow: a lifetime other than `'static`, which no `for<…>`
/// binds, is in it.
pub(crate) fn borrows_value(ty: &Type) -> bool {
    let value = result_of(ty).unwrap_or(ty);
    let mut binds = false;
    walk::in_type(value, |node| {
        binds |= matches!(node, Node::BoundLifetimes);
        true
    });
    !binds && borrows(value)
}

/// Whether there is a `&'static T` in what a function gives as its value: none is read back from where values are shared.
pub(crate) fn holds_static_reference(ty: &Type) -> bool {
    let mut holds = false;
    walk::in_type(result_of(ty).unwrap_or(ty), |node| match node {
        Node::Reference(reference) => {
            holds |= is_static(reference.lifetime.as_ref());
            true
        }
        Node::PathSegment(segment) => segment.ident != "PhantomData",
        _ => true,
    });
    holds
}

/// Whether a returned type is, by the look of it, a future.
pub(super) fn is_future(ty: &Type) -> bool {
    is_of(ty, &["Future", "IntoFuture"], &["BoxFuture", "LocalBoxFuture"]) || is_associated(ty, "Future")
}

/// `Self::Future`, `<S as Service<R>>::Future`
pub(super) fn is_associated(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = bare(ty) else { return false };
    let is_own =
        path.qself.is_some() || path.path.segments.first().is_some_and(|first| first.ident == "Self");
    is_own && path.path.segments.len() > 1 && is_named(ty, name)
}

/// Whether it is, by the look of it, a stream, or a `Result` of one.
pub(super) fn is_stream(ty: &Type) -> bool {
    let (traits, names) = (["Stream", "TryStream"], ["BoxStream", "LocalBoxStream"]);
    is_of(result_of(ty).unwrap_or(ty), &traits, &names)
}

/// The `Ok` value of what is, by the look of it, a `Result`.
pub(super) fn result_of(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = bare(ty) else { return None };
    let result = path.path.segments.last().filter(|last| last.ident == "Result")?;
    first_argument(&result.arguments)
}

/// Whether it is, by the look of it, of one of the traits, or has one of the names.
fn is_of(ty: &Type, traits: &[&str], names: &[&str]) -> bool {
    let is = |ident: &Ident, names: &[&str]| names.iter().any(|name| ident == name);
    let names_trait = |bounds: &Punctuated<TypeParamBound, Token![+]>| {
        bounds.iter().any(|bound| match bound {
            TypeParamBound::Trait(bound) => {
                bound.path.segments.last().is_some_and(|last| is(&last.ident, traits))
            }
            _ => false,
        })
    };
    match bare(ty) {
        Type::ImplTrait(ty) => names_trait(&ty.bounds),
        Type::TraitObject(ty) => names_trait(&ty.bounds),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let is_pointer = last.ident == "Pin" || last.ident == "Box";
            is(&last.ident, names)
                || is_pointer
                    && first_argument(&last.arguments).is_some_and(|inner| is_of(inner, traits, names))
        }),
        _ => false,
    }
}

/// The type of the items, if the type is by the look of it a stream: `impl Stream<Item = T>`, `BoxStream<'_, T>`, or
/// `Pin<Box<dyn Stream<Item = T>>>`.
pub(super) fn stream_items(ty: &Type) -> Option<&Type> {
    match bare(ty) {
        Type::ImplTrait(ty) => items_of(&ty.bounds),
        Type::TraitObject(ty) => items_of(&ty.bounds),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let first = first_argument(&last.arguments)?;
            match () {
                () if last.ident == "BoxStream" => Some(first),
                () if last.ident == "Pin" || last.ident == "Box" => {
                    // What is in them is no stream by itself: `Box<impl Stream>` is none.
                    matches!(bare(first), Type::Path(_) | Type::TraitObject(_))
                        .then(|| stream_items(first))?
                }
                () => None,
            }
        }
        _ => None,
    }
}

fn items_of(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<&Type> {
    bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last().filter(|last| last.ident == "Stream")?;
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(assoc) if assoc.ident == "Item" => Some(&assoc.ty),
            _ => None,
        })
    })
}

fn first_argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return None;
    };
    types(arguments).next()
}

pub(super) fn types(arguments: &AngleBracketedGenericArguments) -> impl Iterator<Item = &Type> {
    arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

#[derive(Default)]
struct Found {
    impl_trait: bool,
    borrow: bool,
}

fn find(ty: &Type) -> Found {
    let mut found = Found::default();
    walk::in_type(ty, |node| {
        match node {
            Node::ImplTrait(_) => found.impl_trait = true,
            Node::Reference(reference) => found.borrow |= !is_static(reference.lifetime.as_ref()),
            Node::Lifetime(lifetime) => found.borrow |= lifetime.ident != "static",
            // `for<'a> Fn(&'a T)` and `fn(&T)` borrow nothing.
            Node::FnPointer | Node::ParenthesizedArguments | Node::BoundLifetimes => return false,
            _ => {}
        }
        true
    });
    found
}

/// `impl Trait` anywhere in it.
pub(crate) fn has_impl_trait(ty: &Type) -> bool {
    find(ty).impl_trait
}

/// A lifetime other than `'static` in it, written or elided in a reference.
fn borrows(ty: &Type) -> bool {
    find(ty).borrow
}

/// [`borrows`] below a reference: what an owned copy of the referent would still borrow.
pub(crate) fn pins_or_borrows(ty: &Type) -> bool {
    match bare(ty) {
        Type::Reference(reference) => borrows(&reference.elem),
        other => borrows(other),
    }
}

pub(super) fn is_named(ty: &Type, name: &str) -> bool {
    matches!(bare(ty), Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}

/// Whether the error of a `Result` can be seen to borrow: then it is not for other callers.
pub(crate) fn borrows_error(ty: &Type) -> bool {
    let Type::Path(path) = bare(ty) else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    let mut borrows = false;
    if last.ident == "Result"
        && let Some(error) = types(arguments).nth(1)
    {
        walk::in_type(error, |node| {
            borrows |= match node {
                Node::Reference(reference) => reference.lifetime.is_none(),
                Node::Lifetime(lifetime) => lifetime.ident != "static",
                _ => false,
            };
            true
        });
    }
    borrows
}
