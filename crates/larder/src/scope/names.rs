//! What scopes are called, for people.

use super::{Scope, ScopeHash};

/// The scopes that every entry of a key has, with their names.
#[must_use]
pub fn own_scopes(key: &str) -> Vec<(ScopeHash, String)> {
    let prefixes = key.match_indices(':').map(|(colon, _)| &key[..=colon]);
    let prefixes = prefixes.map(|prefix| (Scope::prefix(prefix).hash(), format!("{prefix}*")));
    std::iter::once((Scope::key(key).hash(), key.to_owned())).chain(prefixes).collect()
}

/// A scope without a known name.
#[must_use]
pub fn unnamed_scope(scope: ScopeHash) -> String {
    match scope {
        ScopeHash::ALL => "everything".to_owned(),
        scope if scope.is_wide() => format!("prefix or tag {:016x}", scope.get()),
        scope => format!("key {:016x}", scope.get()),
    }
}
