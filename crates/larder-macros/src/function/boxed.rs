//! Functions that `#[async_trait]` has rewritten already, and others that return a future which is made at their end, as
//! `Box::pin(async move { … })`, `async move { … }.boxed()` or `async move { … }`:
//!
//! ```text
//! fn get<'life0, 'async_trait>(&'life0 self, id: u64, __arg2: (A, B))
//!     -> Pin<Box<dyn Future<Output = R> + Send + 'async_trait>>
//! {
//!     Box::pin(async move {
//!         if let Some(__ret) = None::<R> { return __ret; }
//!         let __self = self;
//!         let id = id;
//!         let (a, b) = { let __arg2 = __arg2; __arg2 };
//!         let __ret: R = { body };
//!         __ret
//!     })
//! }
//! ```

use syn::{
    AssocType, Block, Expr, ExprAsync, ExprCall, FnArg, GenericArgument, Ident, ItemFn, Local, Pat, PatIdent,
    Path, PathArguments, ReturnType, Signature, Stmt, Type, TypeParamBound,
};

use super::types::{bare, is_named, types};

pub(crate) struct Boxed {
    /// The statements that only rebind the arguments.
    pub(crate) prelude: Vec<Stmt>,
    pub(crate) body: Vec<Stmt>,
    /// The local that stands for `self`.
    pub(crate) receiver: Option<Ident>,
    /// Arguments that had a pattern, and the pattern.
    patterns: Vec<(Ident, Pat)>,
}

impl Boxed {
    pub(super) fn find(item: &ItemFn) -> Option<Self> {
        let mut block = (*item.block).clone();
        let statements = &async_block(&mut block)?.block.stmts;
        let mut boxed = Self { prelude: Vec::new(), body: Vec::new(), receiver: None, patterns: Vec::new() };
        let mut rest = statements.iter();
        for statement in rest.by_ref() {
            if !boxed.rebinds(statement) {
                boxed.body.push(statement.clone());
                break;
            }
            boxed.prelude.push(statement.clone());
        }
        boxed.body.extend(rest.cloned());
        Some(boxed)
    }

    pub(super) fn pattern_of(&self, argument: &Ident) -> Option<&Pat> {
        let found = self.patterns.iter().find(|(name, _)| name == argument);
        found.map(|(_, pattern)| pattern)
    }

    /// Whether the statement belongs to the prelude.
    fn rebinds(&mut self, statement: &Stmt) -> bool {
        match statement {
            // `if let Some(__ret) = None::<R> { return __ret; }`: no user can have written it.
            Stmt::Expr(Expr::If(edge), _) => {
                matches!(&*edge.cond, Expr::Let(cond) if is_none(&cond.expr))
            }
            Stmt::Local(local) => self.rebinds_local(local).is_some(),
            _ => false,
        }
    }

    fn rebinds_local(&mut self, local: &Local) -> Option<()> {
        let init = local.init.as_ref()?;
        if init.diverge.is_some() {
            return None;
        }
        if let Expr::Block(block) = &*init.expr {
            let name = same_name_block(&block.block)?;
            self.patterns.push((name, local.pat.clone()));
            return Some(());
        }
        let Pat::Ident(PatIdent { ident, .. }) = &local.pat else {
            return None;
        };
        let source = name_of(&init.expr)?;
        if source == "self" {
            self.receiver = Some(ident.clone());
            return Some(());
        }
        (source == ident).then_some(())
    }
}

/// `{ let __arg1 = __arg1; __arg1 }`
fn same_name_block(block: &Block) -> Option<Ident> {
    let [Stmt::Local(local), Stmt::Expr(last, None)] = block.stmts.as_slice() else {
        return None;
    };
    let Pat::Ident(PatIdent { ident, .. }) = &local.pat else {
        return None;
    };
    let source = name_of(&local.init.as_ref()?.expr)?;
    (source == ident && name_of(last)? == ident).then(|| ident.clone())
}

fn name_of(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    }
}

/// `::core::option::Option::None::<R>`
fn is_none(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(path) if ends_with(&path.path, &["option", "Option", "None"]))
}

fn ends_with(path: &Path, names: &[&str]) -> bool {
    path.segments.len() >= names.len()
        && path.segments.iter().rev().zip(names.iter().rev()).all(|(segment, name)| segment.ident == name)
}

/// The `async move { … }` that a block ends with, alone, inside `Box::pin(…)` or in front of `.boxed()`.
pub(crate) fn async_block(block: &mut Block) -> Option<&mut ExprAsync> {
    match block.stmts.last_mut() {
        Some(Stmt::Expr(Expr::Async(block), None)) => Some(block),
        Some(Stmt::Expr(Expr::MethodCall(call), None)) => match &mut *call.receiver {
            Expr::Async(block) if call.method == "boxed" || call.method == "boxed_local" => Some(block),
            _ => None,
        },
        Some(Stmt::Expr(Expr::Call(call), None)) => pinned(call),
        _ => None,
    }
}

/// A statement in front of the future that is neither an item nor a clone of an argument: it would run before the cache is
/// asked, whatever that has, and be no part of the computation.
pub(super) fn outside(item: &ItemFn) -> Option<&Stmt> {
    let arguments: Vec<Ident> = item.sig.inputs.iter().flat_map(bound).collect();
    let texts: Vec<Ident> = item.sig.inputs.iter().filter(is_text).flat_map(bound).collect();
    let (_, before) = item.block.stmts.split_last()?;
    before.iter().find(|statement| match statement {
        Stmt::Item(_) => false,
        Stmt::Local(local) => !clones_argument(local, &arguments, &texts),
        _ => true,
    })
}

/// Whether an argument is a text: an owned copy has the same digest.
fn is_text(input: &&FnArg) -> bool {
    let FnArg::Typed(typed) = input else { return false };
    let ty = match bare(&typed.ty) {
        Type::Reference(reference) => bare(&reference.elem),
        other => other,
    };
    ["str", "String"].iter().any(|name| is_named(ty, name))
}

fn bound(input: &FnArg) -> Vec<Ident> {
    match input {
        FnArg::Receiver(receiver) => vec![Ident::new("self", receiver.self_token.span)],
        FnArg::Typed(typed) => super::bindings::bindings(&typed.pat),
    }
}

/// `let name = name.clone();`, `let db = Arc::clone(&self.db);`: what keys and tags name is the same behind it.
fn clones_argument(local: &Local, arguments: &[Ident], texts: &[Ident]) -> bool {
    const CLONES: [&str; 4] = ["clone", "to_owned", "to_string", "to_vec"];
    let Pat::Ident(PatIdent { ident: name, by_ref: None, subpat: None, .. }) = &local.pat else {
        return false;
    };
    let Some(init) = local.init.as_ref().filter(|init| init.diverge.is_none()) else { return false };
    let source = match &*init.expr {
        Expr::MethodCall(call) if call.args.is_empty() && CLONES.iter().any(|clone| call.method == clone) => {
            &*call.receiver
        }
        Expr::Call(call) if call.args.len() == 1 && is_clone(&call.func) => match &call.args[0] {
            Expr::Reference(reference) => &*reference.expr,
            other => other,
        },
        _ => return false,
    };
    let is_argument = |name: &Ident| arguments.contains(name);
    // What the key is made of keeps its type: `to_string` of a number is none.
    let changes = |init: &Expr| makes_text(init) && !texts.contains(name);
    let shadows = is_argument(name) && (name_of(source) != Some(name) || changes(&init.expr));
    !shadows && root(source).is_some_and(is_argument)
}

/// Whether what it makes can be of another type, with another digest.
fn makes_text(expr: &Expr) -> bool {
    match expr {
        Expr::MethodCall(call) => call.method == "to_string",
        Expr::Call(call) => {
            matches!(&*call.func, Expr::Path(path) if ends_with(&path.path, &["String", "from"]))
        }
        _ => false,
    }
}

fn is_clone(function: &Expr) -> bool {
    let is = |path: &Path, of: &str, name: &str| ends_with(path, &[of, name]);
    let names =
        [("Arc", "clone"), ("Rc", "clone"), ("Clone", "clone"), ("ToOwned", "to_owned"), ("String", "from")];
    matches!(function, Expr::Path(path) if names.iter().any(|(of, name)| is(&path.path, of, name)))
}

/// `db` of `db.pool.0`.
fn root(place: &Expr) -> Option<&Ident> {
    match place {
        Expr::Field(field) => root(&field.base),
        Expr::Paren(inner) => root(&inner.expr),
        other => name_of(other),
    }
}

fn pinned(call: &mut ExprCall) -> Option<&mut ExprAsync> {
    let Expr::Path(function) = &*call.func else {
        return None;
    };
    if !ends_with(&function.path, &["Box", "pin"]) || call.args.len() != 1 {
        return None;
    }
    match call.args.first_mut() {
        Some(Expr::Async(block)) => Some(block),
        _ => None,
    }
}

/// Whether `#[async_trait]` wrote the signature: then it stands in a trait or an `impl`.
pub(super) fn is_async_trait(sig: &Signature) -> bool {
    sig.generics.lifetimes().any(|param| param.lifetime.ident == "async_trait")
}

/// `R` of `Pin<Box<dyn Future<Output = R> + …>>`, `BoxFuture<'_, R>` or `impl Future<Output = R>`.
pub(super) fn output(returned: &ReturnType) -> Option<Type> {
    let ReturnType::Type(_, ty) = returned else {
        return None;
    };
    if let Some(output) = ["BoxFuture", "LocalBoxFuture"].iter().find_map(|name| argument_of(ty, name)) {
        return Some(output.clone());
    }
    let bounds = match bare(ty) {
        Type::ImplTrait(future) => &future.bounds,
        _ => match bare(argument_of(argument_of(ty, "Pin")?, "Box")?) {
            Type::TraitObject(object) => &object.bounds,
            _ => return None,
        },
    };
    bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let future = bound.path.segments.last()?;
        let PathArguments::AngleBracketed(arguments) = &future.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(AssocType { ident, ty, .. })
                if future.ident == "Future" && ident == "Output" =>
            {
                Some(ty.clone())
            }
            _ => None,
        })
    })
}

fn argument_of<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = bare(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    (last.ident == name).then(|| types(arguments).next())?
}
