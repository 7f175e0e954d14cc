//! Whether an expression uses a variable.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::{Expr, Pat};

use crate::walk::{self, Node};

/// Whether an expression uses the variable of this name: not a field, a method or a path that is called so, and not a
/// variable of its own.
pub(crate) fn names_variable(expr: &Expr, name: &str) -> bool {
    let mut found = false;
    walk::in_expr(expr, |node| match node {
        Node::ExprPath(path) => {
            let used = path.path.get_ident().is_some_and(|ident| ident.unraw() == name);
            found |= path.qself.is_none() && used;
            true
        }
        Node::Closure(closure) => !closure.inputs.iter().any(|input| binds(input, name)),
        Node::Arm(arm) => !binds(&arm.pat, name),
        Node::Macro(call) => {
            found |= in_tokens(call.tokens.clone(), name);
            false
        }
        _ => true,
    });
    found
}

/// Whether a pattern binds a variable of this name.
fn binds(pattern: &Pat, name: &str) -> bool {
    let mut found = false;
    walk::in_pattern(pattern, |node| {
        if let Node::PatIdent(pattern) = node {
            found |= pattern.ident.unraw() == name;
        }
        true
    });
    found
}

/// Inside a macro call, where nothing is parsed.
fn in_tokens(tokens: TokenStream, name: &str) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let sign = |at: Option<usize>| match at.and_then(|at| tokens.get(at)) {
        Some(TokenTree::Punct(sign)) => sign.as_char(),
        _ => ' ',
    };
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Group(group) => in_tokens(group.stream(), name),
        TokenTree::Ident(ident) if ident.unraw() == name => {
            let (before, before_that) = (sign(at.checked_sub(1)), sign(at.checked_sub(2)));
            let is_member = before == '.' && before_that != '.';
            let is_path = (before == ':' && before_that == ':') || sign(Some(at + 1)) == ':';
            !is_member && !is_path
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_told_from_what_is_called_like_it() {
        for (expr, expected) in [
            ("result", true),
            ("r#result", true),
            ("&result.id", true),
            ("f(result)", true),
            ("Row { result }", true),
            ("Row { id: result.id, ..row }", true),
            ("matches!(result, Some(_))", true),
            ("vec![exam.id, ..result]", true),
            ("match row { Some(row) => result.of(row), None => 0 }", true),
            ("exam.result", false),
            ("exam.result()", false),
            ("result::id(exam)", false),
            ("exam::result", false),
            ("Row { result: 1 }", false),
            ("matches!(exam.result, Some(_))", false),
            ("vec![exam::result, result::ID, Row { result: 1 }]", false),
            ("rows.iter().any(|result| result.ok)", false),
            ("match row { Some(result) => result.id, None => 0 }", false),
        ] {
            let parsed = syn::parse_str(expr).unwrap();
            assert_eq!(names_variable(&parsed, "result"), expected, "{expr}");
        }
    }
}
