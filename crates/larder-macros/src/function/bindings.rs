//! The names that a pattern binds.

use syn::{Ident, Pat};

use crate::walk::{self, Node};

/// The names that a pattern binds, each once.
pub(super) fn bindings(pattern: &Pat) -> Vec<Ident> {
    let mut names: Vec<Ident> = Vec::new();
    walk::in_pattern(pattern, |node| {
        // The alternatives of an or-pattern bind the same names.
        if let Node::PatIdent(pattern) = node
            && !names.contains(&pattern.ident)
        {
            names.push(pattern.ident.clone());
        }
        true
    });
    names
}
