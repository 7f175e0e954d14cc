//! Whether an expression uses a variable.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{Arm, Expr, ExprClosure, ExprPath, Ident, Macro, Pat, PatIdent};

/// Whether an expression uses the variable of this name: not a field, a method or a path that is called so, and not a
/// variable of its own.
pub(crate) fn names_variable(expr: &Expr, name: &str) -> bool {
    let mut uses = Uses { name, found: false };
    uses.visit_expr(expr);
    uses.found
}

struct Uses<'a> {
    name: &'a str,
    found: bool,
}

impl Uses<'_> {
    fn binds(&self, pattern: &Pat) -> bool {
        let mut binds = Binds { name: self.name, found: false };
        binds.visit_pat(pattern);
        binds.found
    }
}

impl<'ast> Visit<'ast> for Uses<'_> {
    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        let is_named = |ident: &Ident| ident.unraw() == self.name;
        self.found |= path.qself.is_none() && path.path.get_ident().is_some_and(is_named);
        visit::visit_expr_path(self, path);
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        if !closure.inputs.iter().any(|input| self.binds(input)) {
            visit::visit_expr_closure(self, closure);
        }
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if !self.binds(&arm.pat) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.found |= in_tokens(call.tokens.clone(), self.name);
    }
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

struct Binds<'a> {
    name: &'a str,
    found: bool,
}

impl<'ast> Visit<'ast> for Binds<'_> {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.found |= pattern.ident.unraw() == self.name;
        visit::visit_pat_ident(self, pattern);
    }
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
