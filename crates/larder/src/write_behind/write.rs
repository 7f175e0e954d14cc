//! What a sink is given.

use std::{fmt, ops::Deref, sync::Arc};

use super::id::WriteId;

/// A write on its way to the database.
pub struct Write<T> {
    pub(super) id: WriteId,
    pub(super) key: Arc<str>,
    pub(super) value: Arc<T>,
    pub(super) coalesced: u64,
    pub(super) attempts: u32,
}

impl<T> Write<T> {
    /// Which write it is: of several that were coalesced, the last one.
    #[must_use]
    pub fn id(&self) -> WriteId {
        self.id
    }

    /// The key that it was made under.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is to be written: of several writes that were coalesced, the last value, or what the merge function made of
    /// them.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// How many writes of this key it stands for: one, unless some were coalesced.
    #[must_use]
    pub fn coalesced(&self) -> u64 {
        self.coalesced
    }

    /// How often this process has tried before to write it, or what it stands for, alone or as one that failed.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl<T> Clone for Write<T> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), value: self.value.clone(), ..*self }
    }
}

/// Without the value, which may be a secret.
impl<T> fmt::Debug for Write<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").field("id", &self.id).field("key", &self.key).finish_non_exhaustive()
    }
}

/// The writes that a sink is to write at once, as a slice. Cheap to clone.
pub struct Batch<T>(pub(super) Arc<[Write<T>]>);

impl<T> Deref for Batch<T> {
    type Target = [Write<T>];

    fn deref(&self) -> &[Write<T>] {
        &self.0
    }
}

impl<'b, T> IntoIterator for &'b Batch<T> {
    type Item = &'b Write<T>;
    type IntoIter = std::slice::Iter<'b, Write<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T> Clone for Batch<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
