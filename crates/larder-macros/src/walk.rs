//! Looking for something in parsed code. All walks share one type: for each type that implements `Visit` some 350 functions
//! of `syn`'s are compiled.

use syn::visit::{self, Visit};
use syn::{
    Arm, BoundLifetimes, Expr, ExprClosure, ExprPath, Item, ItemFn, Lifetime, Macro,
    ParenthesizedGenericArguments, Pat, PatIdent, Path, PathSegment, Type, TypeFnPtr, TypeImplTrait,
    TypeReference, TypeTraitObject,
};

/// A piece of code with its parts.
pub(crate) enum Node<'c> {
    Arm(&'c Arm),
    BoundLifetimes,
    Closure(&'c ExprClosure),
    ExprPath(&'c ExprPath),
    FnPointer,
    ImplTrait(&'c TypeImplTrait),
    Item,
    Lifetime(&'c Lifetime),
    Macro(&'c Macro),
    ParenthesizedArguments,
    PatIdent(&'c PatIdent),
    Path(&'c Path),
    PathSegment(&'c PathSegment),
    Reference(&'c TypeReference),
    TraitObject(&'c TypeTraitObject),
}

/// Shows a type, and what is in it. `look` says of each node whether it is shown the parts of that too.
pub(crate) fn in_type(ty: &Type, mut look: impl FnMut(Node<'_>) -> bool) {
    Walk(&mut look).visit_type(ty);
}

/// The same of a pattern.
pub(crate) fn in_pattern(pattern: &Pat, mut look: impl FnMut(Node<'_>) -> bool) {
    Walk(&mut look).visit_pat(pattern);
}

/// The same of an expression.
pub(crate) fn in_expr(expr: &Expr, mut look: impl FnMut(Node<'_>) -> bool) {
    Walk(&mut look).visit_expr(expr);
}

/// The same of a function: its signature, and its body.
pub(crate) fn in_function(function: &ItemFn, mut look: impl FnMut(Node<'_>) -> bool) {
    let mut walk = Walk(&mut look);
    walk.visit_signature(&function.sig);
    walk.visit_block(&function.block);
}

struct Walk<'w>(&'w mut dyn FnMut(Node<'_>) -> bool);

macro_rules! shown {
    ($($visit:ident($node:ident: $of:ty) => $shown:expr;)+) => {
        impl<'c> Visit<'c> for Walk<'_> {$(
            fn $visit(&mut self, $node: &'c $of) {
                if (self.0)($shown) {
                    visit::$visit(self, $node);
                }
            }
        )+}
    };
}

shown! {
    visit_arm(node: Arm) => Node::Arm(node);
    visit_bound_lifetimes(node: BoundLifetimes) => Node::BoundLifetimes;
    visit_expr_closure(node: ExprClosure) => Node::Closure(node);
    visit_expr_path(node: ExprPath) => Node::ExprPath(node);
    visit_item(node: Item) => Node::Item;
    visit_lifetime(node: Lifetime) => Node::Lifetime(node);
    visit_macro(node: Macro) => Node::Macro(node);
    visit_parenthesized_generic_arguments(node: ParenthesizedGenericArguments) => Node::ParenthesizedArguments;
    visit_pat_ident(node: PatIdent) => Node::PatIdent(node);
    visit_path(node: Path) => Node::Path(node);
    visit_path_segment(node: PathSegment) => Node::PathSegment(node);
    visit_type_fn_ptr(node: TypeFnPtr) => Node::FnPointer;
    visit_type_impl_trait(node: TypeImplTrait) => Node::ImplTrait(node);
    visit_type_reference(node: TypeReference) => Node::Reference(node);
    visit_type_trait_object(node: TypeTraitObject) => Node::TraitObject(node);
}
