//! What an invalidation covers, and the hashes by which scopes are known everywhere.

mod set;

use std::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

pub(crate) use self::set::{Collected, FEW, MOST, ScopeSet, contains};

/// What an invalidation covers: one key, all keys with a prefix, a tag, or everything.
///
/// Wherever a scope is expected, a `&str` will do: `"user:7"` is a key and `"user:*"` is a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Key(String),
    /// With its `:` at the end.
    Prefix(String),
    Tag(String),
    All,
}

impl Scope {
    /// The entry of this very key, whatever characters the key has.
    pub fn key(key: impl Into<String>) -> Self {
        Self(Kind::Key(key.into()))
    }

    /// All entries whose keys begin with `prefix` and a `:`. A `:` or `:*` at the end of `prefix` may be
    /// there or not: `"user"`, `"user:"` and `"user:*"` are the same scope.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        let mut prefix = prefix.into();
        if prefix.ends_with(":*") {
            prefix.pop();
        }
        if !prefix.ends_with(':') {
            prefix.push(':');
        }
        Self(Kind::Prefix(prefix))
    }

    /// All entries with this tag. Tags belong to the cache, not to a namespace of it.
    pub fn tag(tag: impl Into<String>) -> Self {
        Self(Kind::Tag(tag.into()))
    }

    /// All entries of the cache, or of the namespace on which it is invalidated.
    #[must_use]
    pub fn all() -> Self {
        Self(Kind::All)
    }

    /// Reads a key or a pattern: text that ends in `:*` is a prefix, `*` alone is everything. Any other
    /// `*` widens to the last `:` before it, with a warning: too much is dropped rather than too little.
    fn parse(text: &str) -> Self {
        let Some(star) = text.find('*') else { return Self::key(text) };
        let (before, pattern) = text.split_at(star);
        if text == "*" {
            return Self::all();
        }
        if pattern != "*" || !before.ends_with(':') {
            crate::panic_guard::report!(
                warn,
                pattern = text,
                "a `*` means something only at the end, after a `:`; invalidating all from the last `:` \
                 before it (use a tag for other sets of keys)"
            );
        }
        before.rfind(':').map_or_else(Self::all, |colon| Self::prefix(&before[..=colon]))
    }

    /// The same scope, as seen from outside of a namespace whose keys begin with `prefix`.
    pub(crate) fn within(self, prefix: &str) -> Self {
        if prefix.is_empty() {
            return self;
        }
        Self(match self.0 {
            Kind::Key(key) => Kind::Key(format!("{prefix}{key}")),
            Kind::Prefix(inner) => Kind::Prefix(format!("{prefix}{inner}")),
            Kind::All => Kind::Prefix(prefix.to_owned()),
            Kind::Tag(tag) => Kind::Tag(tag),
        })
    }

    /// The hash by which every process knows this scope.
    #[must_use]
    pub fn hash(&self) -> ScopeHash {
        match &self.0 {
            Kind::Key(key) => ScopeHash::key(key),
            Kind::Prefix(prefix) => ScopeHash::prefix(prefix),
            Kind::Tag(tag) => ScopeHash::tag(tag),
            Kind::All => ScopeHash::ALL,
        }
    }

    /// The key, if this scope is a single one: what a cache may delete at once to free memory.
    #[must_use]
    pub fn as_key(&self) -> Option<&str> {
        match &self.0 {
            Kind::Key(key) => Some(key),
            _ => None,
        }
    }
}

/// For people: `user:7`, `user:*`, `tag org:7`, `*`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Key(key) => f.write_str(key),
            Kind::Prefix(prefix) => write!(f, "{prefix}*"),
            Kind::Tag(tag) => write!(f, "tag {tag}"),
            Kind::All => f.write_str("*"),
        }
    }
}

/// The stable 64-bit hash of a [`Scope`]: the same in every process, on every platform, in every release.
///
/// The low 63 bits are those of XXH3-64 over the UTF-8 text, with the ASCII code of `k` (key), `p`
/// (prefix, text with its final `:`) or `t` (tag) as the seed. The top bit is 0 for keys and 1 for wider
/// scopes. Everything has the hash `u64::MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeHash(u64);

impl ScopeHash {
    /// The hash of [`Scope::all`].
    pub const ALL: Self = Self(u64::MAX);

    const WIDE: u64 = 1 << 63;

    pub(crate) fn key(key: &str) -> Self {
        Self(xxh3_64_with_seed(key.as_bytes(), b'k'.into()) & !Self::WIDE)
    }

    fn prefix(prefix_with_colon: &str) -> Self {
        Self(xxh3_64_with_seed(prefix_with_colon.as_bytes(), b'p'.into()) | Self::WIDE)
    }

    fn tag(tag: &str) -> Self {
        Self(xxh3_64_with_seed(tag.as_bytes(), b't'.into()) | Self::WIDE)
    }

    /// From what [`get`](Self::get) gave.
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether it stands for more than one key.
    #[inline]
    #[must_use]
    pub const fn is_wide(self) -> bool {
        self.0 & Self::WIDE != 0
    }
}

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

/// One or several [`Scope`]s: what [`invalidate`](crate::CacheExt::invalidate) takes.
///
/// Made from a key or pattern, a [`Scope`], or an array, slice or `Vec` of these.
#[derive(Debug, Clone, Default)]
pub struct Scopes(pub(crate) Vec<Scope>);

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(vec![scope])
    }
}

impl From<&Scope> for Scopes {
    fn from(scope: &Scope) -> Self {
        scope.clone().into()
    }
}

impl From<&str> for Scopes {
    fn from(text: &str) -> Self {
        Scope::parse(text).into()
    }
}

impl From<String> for Scopes {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for Scopes {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl<S: Into<Scopes>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(items: I) -> Self {
        Self(items.into_iter().flat_map(|item| item.into().0).collect())
    }
}

impl<S: Into<Scopes>> From<Vec<S>> for Scopes {
    fn from(items: Vec<S>) -> Self {
        items.into_iter().collect()
    }
}

impl<S: Into<Scopes>, const N: usize> From<[S; N]> for Scopes {
    fn from(items: [S; N]) -> Self {
        items.into_iter().collect()
    }
}

impl<S: Into<Scopes> + Clone> From<&[S]> for Scopes {
    fn from(items: &[S]) -> Self {
        items.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests;
