//! The names that a pattern binds.

use syn::visit::{self, Visit};
use syn::{Ident, Pat, PatIdent};

/// The names that a pattern binds, each once.
pub(super) fn bindings(pattern: &Pat) -> Vec<Ident> {
    struct Names(Vec<Ident>);

    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
            // The alternatives of an or-pattern bind the same names.
            if !self.0.contains(&pattern.ident) {
                self.0.push(pattern.ident.clone());
            }
            visit::visit_pat_ident(self, pattern);
        }
    }

    let mut names = Names(Vec::new());
    names.visit_pat(pattern);
    names.0
}
