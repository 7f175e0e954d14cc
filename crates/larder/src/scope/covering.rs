//! Which scopes cover an entry because of its key and its tags.

use xxhash_rust::xxh3::Xxh3;

use super::{
    hash::ScopeHash,
    set::{MOST, ScopeSet},
};

/// The scopes that cover an entry because of its own key and tags: the key, each of its `:`-prefixes, the
/// tags.
pub(crate) fn covering(key: &str, tags: &[String]) -> ScopeSet {
    let mut scopes: ScopeSet = std::iter::once(ScopeHash::key(key)).chain(prefixes(key)).collect();
    scopes.extend(tags.iter().map(|tag| ScopeHash::tag(tag)));
    scopes
}

/// The `:`-prefixes of a key: one more than can cover an entry is enough to know that they are too many.
fn prefixes(key: &str) -> impl Iterator<Item = ScopeHash> {
    /// Above it, what was hashed for one prefix is not hashed again for the next one.
    const LONG: usize = 1 << 10;
    let mut hasher = (key.len() > LONG).then(|| (0, Xxh3::with_seed(b'p'.into())));
    key.match_indices(':').take(MOST + 1).map(move |(colon, _)| match &mut hasher {
        None => ScopeHash::prefix(&key[..=colon]),
        Some((hashed, hasher)) => {
            hasher.update(&key.as_bytes()[*hashed..=colon]);
            *hashed = colon + 1;
            ScopeHash(hasher.digest() | ScopeHash::WIDE)
        }
    })
}
