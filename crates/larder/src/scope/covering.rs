//! Which scopes cover an entry because of its key and its tags.

use xxhash_rust::xxh3::Xxh3;

use super::{
    hash::ScopeHash,
    set::{MOST, ScopeSet},
};

/// The scopes that cover an entry because of its own key and tags: the key, each of its `:`-prefixes, the
/// tags.
pub(crate) fn covering(key: &str, tags: &[String]) -> ScopeSet {
    /// Above it, what was hashed for one prefix is not hashed again for the next one.
    const LONG: usize = 1 << 10;
    let mut scopes = ScopeSet::default();
    scopes.add(ScopeHash::key(key));
    match key.len() > LONG {
        true => prefixes_of_long(key).for_each(|prefix| scopes.add(prefix)),
        false => colons(key).for_each(|colon| scopes.add(ScopeHash::prefix(&key[..=colon]))),
    }
    tags.iter().for_each(|tag| scopes.add(ScopeHash::tag(tag)));
    scopes.settle();
    scopes
}

/// Where a key's prefixes end: one more than can cover an entry is enough to know that they are too many.
fn colons(key: &str) -> impl Iterator<Item = usize> {
    key.bytes().enumerate().filter(|(_, byte)| *byte == b':').map(|(colon, _)| colon).take(MOST + 1)
}

fn prefixes_of_long(key: &str) -> impl Iterator<Item = ScopeHash> {
    let mut hasher = Xxh3::with_seed(b'p'.into());
    let mut hashed = 0;
    colons(key).map(move |colon| {
        hasher.update(&key.as_bytes()[hashed..=colon]);
        hashed = colon + 1;
        ScopeHash(hasher.digest() | ScopeHash::WIDE)
    })
}
