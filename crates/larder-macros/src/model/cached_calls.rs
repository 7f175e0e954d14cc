//! Cached functions that `#[invalidate]` names.

use syn::ext::IdentExt as _;
use syn::{Expr, Ident, Path, parse_quote};

use crate::args::{Args, Callee, Named};
use crate::errors::Errors;
use crate::function::{Function, Ownership};
use crate::surroundings::Place;
use crate::tokens;

/// A cached function, some or all of whose keys are invalidated.
pub(crate) struct NamedFunction {
    pub(crate) callee: Callee,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) all: bool,
    /// Its name alone is not what an import would find.
    pub(crate) by_path: bool,
    /// Of its name.
    pub(crate) span: proc_macro2::Span,
}

/// What the function is called with.
pub(crate) struct Argument {
    pub(crate) expr: Expr,
    pub(crate) when: When,
}

/// When an argument is evaluated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    /// Before; it is a value that the body may take, so that a clone is used.
    Cloned,
    /// It names the function's result.
    After,
}

impl NamedFunction {
    /// Whether it waits for the function's result.
    pub(crate) fn names_result(&self) -> bool {
        self.arguments.iter().any(|argument| argument.when == When::After)
    }
}

pub(super) fn functions(args: &mut Args, function: &Function, errors: &mut Errors) -> Vec<NamedFunction> {
    let named = std::mem::take(&mut args.functions);
    if !named.is_empty() && args.templates.is_empty() && args.tags.is_empty() && !args.not_understood() {
        check_without_effect(args, errors);
    }
    named.into_iter().map(|named| resolve(named, function)).collect()
}

/// Reports options of texts where there are no texts.
fn check_without_effect(args: &Args, errors: &mut Errors) {
    let cache = args.cache.as_ref().map(|given| &given.name);
    let namespace = args.namespace.as_ref().map(|given| &given.name);
    let schema = args.schema.as_ref().map(|given| &given.name);
    for option in [cache, namespace, schema].into_iter().flatten() {
        let message = format!(
            "`{option}` is for keys, prefixes and tags that are written as text: a cached function has its own, so \
             remove `{option}`"
        );
        errors.push(option.span(), message);
    }
}

fn resolve(named: Named, function: &Function) -> NamedFunction {
    let Named { callee, arguments, all, span } = named;
    let callee = match callee {
        Callee::Method { receiver, name, turbofish } => {
            let receiver = Box::new(place(function.localized(*receiver), function));
            Callee::Method { receiver, name, turbofish }
        }
        Callee::Function(path) => Callee::Function(from_module(path, function)),
        other @ Callee::Associated(_) => other,
    };
    let is_argument = function.arguments.iter().any(|argument| argument.binds("result").is_some());
    let arguments = arguments.into_iter().map(|expr| {
        let expr = function.localized(expr);
        let when = match bare(&expr) {
            _ if !is_argument && tokens::names_variable(&expr, "result") => When::After,
            Some(name) if is_owned(function, name) => When::Cloned,
            _ => When::Before,
        };
        Argument { expr, when }
    });
    let by_path = matches!(&callee, Callee::Function(path) if path.segments.len() == 1
        && (function.surroundings.is_in_body || meets_argument(&path.segments[0].ident, function)));
    NamedFunction { callee, arguments: arguments.collect(), all, by_path, span }
}

fn meets_argument(name: &Ident, function: &Function) -> bool {
    function.arguments.iter().any(|argument| argument.binds(&name.unraw().to_string()).is_some())
}

/// A name alone, as a path from the module: there it meets no argument, and nothing that a glob brings.
fn from_module(mut path: Path, function: &Function) -> Path {
    let surroundings = &function.surroundings;
    let in_module = surroundings.place != Place::Unknown && !surroundings.is_in_body;
    if in_module && path.leading_colon.is_none() && path.segments.len() == 1 {
        let span = path.segments[0].ident.span();
        path.segments.insert(0, Ident::new("self", span).into());
    }
    path
}

/// What is borrowed by the function, itself: the compiler says more about methods that are missing in it than in a reference.
fn place(receiver: Expr, function: &Function) -> Expr {
    let is_borrowed = function.receiver.as_ref().is_some_and(|own| {
        own.ownership != Ownership::Owned && own.ty.is_none() && bare(&receiver) == Some(&own.ident)
    });
    if is_borrowed { parse_quote!((*#receiver)) } else { receiver }
}

/// An expression that is no more than a name.
fn bare(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    }
}

fn is_owned(function: &Function, name: &Ident) -> bool {
    function
        .arguments
        .iter()
        .any(|argument| argument.ownership == Ownership::Owned && argument.binds(&name.to_string()).is_some())
}
