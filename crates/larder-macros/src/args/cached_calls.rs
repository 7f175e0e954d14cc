//! Cached functions in `#[invalidate]`: `user(id)`, `Users::user(id)`, `self.user(id)`, `report(..)`.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::{AngleBracketedGenericArguments, Expr, ExprPath, Ident, Path, RangeLimits, Token, token};

/// A call of a cached function, which stands for what that keeps.
pub(crate) struct Named {
    pub(crate) callee: Callee,
    pub(crate) arguments: Vec<Expr>,
    /// `..` stands last: all that the function keeps.
    pub(crate) all: bool,
    /// Of the function's name.
    pub(crate) span: Span,
}

/// How a function is named.
pub(crate) enum Callee {
    /// A free function, by its path.
    Function(Path),
    /// `Users::user`: the last segment is the function's name.
    Associated(ExprPath),
    /// `self.user`
    Method { receiver: Box<Expr>, name: Ident, turbofish: Option<AngleBracketedGenericArguments> },
}

const EXPECTED: &str = "expected a call of a cached function, `user(id)`, with Rust expressions as arguments, or `user(..)` \
                        for all its keys";

/// Whether the next tokens name a function: an option has `=` behind its name, or nothing.
pub(super) fn begins(input: ParseStream<'_>, is_option: impl Fn(&Ident) -> bool) -> bool {
    let in_path = input.peek2(Token![::]) || input.peek2(Token![.]);
    if input.peek(Token![self])
        || input.peek(Token![Self])
        || input.peek(Token![crate])
        || input.peek(Token![super])
    {
        return in_path;
    }
    let is_option = || input.fork().parse::<Ident>().is_ok_and(|name| is_option(&name));
    input.peek(Token![<])
        || input.peek(Token![::])
        || (input.peek(Ident) && (in_path || input.peek2(token::Paren) && !is_option()))
}

pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Named> {
    let start = input.span();
    let call: Expr = input.parse().map_err(|error: syn::Error| {
        // An error at the end of the attribute has no place of its own.
        let _ = error;
        syn::Error::new(start, EXPECTED)
    })?;
    let span = call.span();
    let (callee, given, span) = match call {
        Expr::Call(call) => {
            let Expr::Path(path) = *call.func else {
                return Err(syn::Error::new(span, EXPECTED));
            };
            let Some(last) = path.path.segments.last() else {
                return Err(syn::Error::new(span, EXPECTED));
            };
            let name = last.ident.span();
            (Callee::of_path(path)?, call.args, name)
        }
        Expr::MethodCall(call) => {
            let (name, span) = (call.method.clone(), call.method.span());
            let callee = Callee::Method { receiver: call.receiver, name, turbofish: call.turbofish };
            (callee, call.args, span)
        }
        _ => return Err(syn::Error::new(span, EXPECTED)),
    };
    let mut arguments: Vec<Expr> = given.into_iter().collect();
    let all = arguments.pop_if(|last| is_rest(last)).is_some();
    if let Some(rest) = arguments.iter().find(|argument| is_rest(argument)) {
        return Err(syn::Error::new(
            rest.span(),
            "`..` stands last: it is all arguments that are in the key",
        ));
    }
    Ok(Named { callee, arguments, all, span })
}

/// `..`
fn is_rest(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Range(range)
            if range.start.is_none() && range.end.is_none() && matches!(range.limits, RangeLimits::HalfOpen(_))
    )
}

impl Callee {
    /// By the convention for names: a type begins with a capital letter, and a module does not.
    fn of_path(path: ExprPath) -> syn::Result<Self> {
        let segments = &path.path.segments;
        if let (Some(last), Some(owner)) = (segments.last(), segments.iter().rev().nth(1))
            && last.ident == "invalidate"
        {
            let message = format!("name the function itself: write `{}(…)`", owner.ident);
            return Err(syn::Error::new(last.ident.span(), message));
        }
        let owner = segments.iter().rev().nth(1).map(|owner| owner.ident.to_string());
        let of_type =
            path.qself.is_some() || owner.is_some_and(|owner| owner.starts_with(char::is_uppercase));
        Ok(if of_type { Self::Associated(path) } else { Self::Function(path.path) })
    }
}
