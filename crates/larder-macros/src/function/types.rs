//! What can be told about a type from how it is written.

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    AngleBracketedGenericArguments, GenericArgument, Ident, Lifetime, PathArguments, Token, Type,
    TypeImplTrait, TypeParamBound, TypeReference,
};

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
    struct Binds(bool);

    impl<'ast> Visit<'ast> for Binds {
        fn visit_bound_lifetimes(&mut self, _: &'ast syn::BoundLifetimes) {
            self.0 = true;
        }
    }

    let value = result_of(ty).unwrap_or(ty);
    let mut binds = Binds(false);
    binds.visit_type(value);
    !binds.0 && borrows(value)
}

/// Whether there is a `&'static T` in what a function gives as its value: none is read back from where values are shared.
pub(crate) fn holds_static_reference(ty: &Type) -> bool {
    struct Holds(bool);

    impl<'ast> Visit<'ast> for Holds {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            self.0 |= is_static(reference.lifetime.as_ref());
            visit::visit_type_reference(self, reference);
        }

        fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
            if segment.ident != "PhantomData" {
                visit::visit_path_segment(self, segment);
            }
        }
    }

    let mut holds = Holds(false);
    holds.visit_type(result_of(ty).unwrap_or(ty));
    holds.0
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

impl<'ast> Visit<'ast> for Found {
    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.impl_trait = true;
        visit::visit_type_impl_trait(self, ty);
    }

    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        self.borrow |= !is_static(reference.lifetime.as_ref());
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        self.borrow |= lifetime.ident != "static";
    }

    // `for<'a> Fn(&'a T)` and `fn(&T)` borrow nothing.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast syn::ParenthesizedGenericArguments) {}

    fn visit_bound_lifetimes(&mut self, _: &'ast syn::BoundLifetimes) {}
}

fn find(ty: &Type) -> Found {
    let mut found = Found::default();
    found.visit_type(ty);
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
    struct Borrows(bool);

    impl<'ast> Visit<'ast> for Borrows {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            self.0 |= reference.lifetime.is_none();
            visit::visit_type_reference(self, reference);
        }

        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            self.0 |= lifetime.ident != "static";
        }
    }

    let Type::Path(path) = bare(ty) else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    let mut borrows = Borrows(false);
    if last.ident == "Result"
        && let Some(error) = types(arguments).nth(1)
    {
        borrows.visit_type(error);
    }
    borrows.0
}
