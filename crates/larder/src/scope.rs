//! What an invalidation covers, and the hashes by which scopes are known everywhere.

mod covering;
mod hash;
mod names;
mod set;

use std::fmt;

use smallvec::{SmallVec, smallvec};

pub(crate) use self::{
    covering::covering,
    set::{CollectedScopes, FEW, MOST, ScopeSet, contains},
};
pub use self::{
    hash::ScopeHash,
    names::{own_scopes, unnamed_scope},
};
use crate::log_throttle::LogThrottle;

/// What an invalidation covers: one key, all keys with a prefix, a tag, or everything.
///
/// Wherever a scope is expected, a `&str` will do: `"user:7"` is a key and `"user:*"` is a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope(ScopeKind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ScopeKind {
    Key(String),
    /// With its `:` at the end.
    Prefix(String),
    Tag(String),
    All,
}

impl Scope {
    /// The entry of this very key, whatever characters the key has.
    pub fn key(key: impl Into<String>) -> Self {
        Self(ScopeKind::Key(key.into()))
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
        Self(ScopeKind::Prefix(prefix))
    }

    /// All entries with this tag. Tags belong to the cache, not to a namespace of it.
    pub fn tag(tag: impl Into<String>) -> Self {
        Self(ScopeKind::Tag(tag.into()))
    }

    /// All entries of the cache, or of the namespace on which it is invalidated.
    #[must_use]
    pub fn all() -> Self {
        Self(ScopeKind::All)
    }

    /// Reads a key or a pattern: text that ends in `:*` is a prefix, `*` alone is everything. Any other
    /// `*` widens to the last `:` before it, with a warning: too much is dropped rather than too little.
    fn parse(text: &str) -> Self {
        // Most have none; bytes are sought faster than a `char`.
        let Some(star) = text.bytes().position(|byte| byte == b'*') else { return Self::key(text) };
        let (before, pattern) = text.split_at(star);
        if text == "*" {
            return Self::all();
        }
        if pattern != "*" || !before.ends_with(':') {
            Self::warn_of(text);
        }
        before.rfind(':').map_or_else(Self::all, |colon| Self::prefix(&before[..=colon]))
    }

    /// Patterns may come from clients, in what is put into a key: there is no end of them.
    fn warn_of(pattern: &str) {
        static THROTTLE: LogThrottle = LogThrottle::new();
        if let Some(count) = THROTTLE.due() {
            crate::panic_guard::report!(
                warn,
                pattern,
                count,
                "a `*` means something only at the end, after a `:`; invalidating all from the last `:` \
                 before it (use a tag for other sets of keys, and `Scope::key` for keys with parts that may contain a `*`; \
                 said once a minute at most)"
            );
        }
    }

    /// The same scope, as seen from outside of a namespace whose keys begin with `prefix`.
    pub(crate) fn within(self, prefix: &str) -> Self {
        if prefix.is_empty() {
            return self;
        }
        Self(match self.0 {
            ScopeKind::Key(key) => ScopeKind::Key(format!("{prefix}{key}")),
            ScopeKind::Prefix(inner) => ScopeKind::Prefix(format!("{prefix}{inner}")),
            ScopeKind::All => ScopeKind::Prefix(prefix.to_owned()),
            ScopeKind::Tag(tag) => ScopeKind::Tag(tag),
        })
    }

    /// The hash by which every process knows this scope.
    #[must_use]
    pub fn hash(&self) -> ScopeHash {
        match &self.0 {
            ScopeKind::Key(key) => ScopeHash::key(key),
            ScopeKind::Prefix(prefix) => ScopeHash::prefix(prefix),
            ScopeKind::Tag(tag) => ScopeHash::tag(tag),
            ScopeKind::All => ScopeHash::ALL,
        }
    }

    /// The key, if this scope is a single one: what a cache may delete at once to free memory.
    #[must_use]
    pub fn as_key(&self) -> Option<&str> {
        match &self.0 {
            ScopeKind::Key(key) => Some(key),
            _ => None,
        }
    }
}

/// For people: `user:7`, `user:*`, `tag org:7`, `*`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ScopeKind::Key(key) => f.write_str(key),
            ScopeKind::Prefix(prefix) => write!(f, "{prefix}*"),
            ScopeKind::Tag(tag) => write!(f, "tag {tag}"),
            ScopeKind::All => f.write_str("*"),
        }
    }
}

/// One or several [`Scope`]s: what [`invalidate`](crate::CacheExt::invalidate) takes.
///
/// Made from a key or pattern, a [`Scope`], or an array, slice or `Vec` of these.
#[derive(Debug, Clone, Default)]
pub struct Scopes(SmallVec<[Scope; 1]>);

impl Scopes {
    /// The same scopes, as seen from outside of a namespace whose keys begin with `prefix`.
    pub(crate) fn within(self, prefix: &str) -> SmallVec<[Scope; 1]> {
        if prefix.is_empty() {
            return self.0;
        }
        self.0.into_iter().map(|scope| scope.within(prefix)).collect()
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(smallvec![scope])
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
