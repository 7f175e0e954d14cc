//! Whether what waits to be delivered covers an entry.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use crate::scope::{self, ScopeHash};

/// Whether scopes that are inside cover an entry under these scopes, a set.
pub(super) fn covers<T>(inside: &HashMap<ScopeHash, T, RandomState>, scopes: &[ScopeHash]) -> bool {
    // Whichever is less: an entry may have thousands of scopes, and the lock is one for all.
    let covered = || match inside.len() < scopes.len() {
        true => inside.keys().any(|inside| scope::contains(scopes, *inside)),
        false => scopes.iter().any(|scope| inside.contains_key(scope)),
    };
    inside.contains_key(&ScopeHash::ALL) || covered()
}
