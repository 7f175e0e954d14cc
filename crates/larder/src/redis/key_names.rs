//! What things are called in Redis. Each kind has a key space of its own: no user's key can be the log's.

use std::sync::Arc;

/// The names of one cache's things.
#[derive(Debug, Clone)]
pub(super) struct KeyNames {
    prefix: Arc<str>,
}

impl KeyNames {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The entry of a full key.
    pub(super) fn entry(&self, key: &str) -> String {
        self.name("e", key)
    }

    /// The counter of a full key.
    pub(super) fn counter(&self, key: &str) -> String {
        self.name("c", key)
    }

    /// The lease for the computation of a full key.
    pub(super) fn lease(&self, key: &str) -> String {
        self.name("l", key)
    }

    /// A lock that users name.
    pub(super) fn lock(&self, name: &str) -> String {
        self.name("m", name)
    }

    /// The log.
    pub(super) fn log(&self) -> String {
        format!("{}:log", self.prefix)
    }

    fn name(&self, kind: &str, key: &str) -> String {
        [&self.prefix, ":", kind, ":", key].concat()
    }
}
