//! The keys of rows.

use std::sync::Arc;

use hmac_sha256::Hash;
use larder::internal::shared::NameHashing;

use crate::tables::Tables;

/// What the rows of keys are called: by the keys themselves, unless names are hashed in their place.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    prefix: Arc<str>,
    entries: Arc<str>,
    names: NameHashing,
}

impl Places {
    pub(crate) fn new(tables: &Tables, names: NameHashing) -> Self {
        Self { prefix: (&*tables.prefix).into(), entries: (&*tables.entries).into(), names }
    }

    /// The row of an entry, and of its lease.
    pub(crate) fn entry(&self, key: &str) -> Vec<u8> {
        self.of("e", key)
    }

    /// The row of a counter.
    pub(crate) fn counter(&self, key: &str) -> Vec<u8> {
        self.of("c", key)
    }

    /// The row of a lock.
    pub(crate) fn lock(&self, name: &str) -> Vec<u8> {
        self.of("m", name)
    }

    /// The row of a key of a rate limit, among those of counters.
    #[cfg(feature = "limit")]
    pub(crate) fn limit(&self, rate: &str, key: &str) -> Vec<u8> {
        let name = format!("{rate}:{}", self.names.of(&self.prefix, "r", key));
        [b"r", &*place(&name)].concat()
    }

    /// What a sealed entry is bound to: its table and its key.
    pub(crate) fn seal(&self, key: &str) -> String {
        format!("{}:{}", self.entries, self.names.of(&self.prefix, "e", key))
    }

    fn of(&self, kind: &str, key: &str) -> Vec<u8> {
        place(&self.names.of(&self.prefix, kind, key))
    }
}

/// The key of a row for a key of the cache: itself, or its digest, since an index takes no long ones.
fn place(key: &str) -> Vec<u8> {
    const LONGEST: usize = 512;
    if key.len() <= LONGEST {
        return [b"k", key.as_bytes()].concat();
    }
    [b"d", &Hash::hash(key.as_bytes())[..]].concat()
}
