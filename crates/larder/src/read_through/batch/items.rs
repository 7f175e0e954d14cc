//! What a batch is asked for, and under which rules.

use std::sync::Arc;

use crate::{
    entry::{Entry, Freshness},
    error_sharing::Unshared,
    outcome::Observer,
};

/// An item that a batch is asked for, with its full key, and where its outcome is noted.
pub(crate) struct Asked<I> {
    pub(crate) item: I,
    pub(crate) key: String,
    pub(crate) observer: Observer,
}

/// How a batch treats what it computes: failures are shared as `S` does, and a value that `unstored` picks out is not stored.
pub(crate) struct Rules<S, U> {
    pub(crate) sharing: S,
    pub(crate) unstored: U,
}

impl<V> Rules<Unshared, fn(&V) -> bool> {
    /// Shares no failure, and stores all values.
    pub(crate) fn plain() -> Self {
        Self { sharing: Unshared, unstored: |_| false }
    }
}

/// An item that memory has no fresh value for.
pub(super) struct Missing<I> {
    pub(super) item: I,
    pub(super) key: Arc<str>,
    pub(super) hash: u64,
    /// What was found instead.
    pub(super) found: Option<(Entry, Freshness)>,
    /// No look, and no lead: it is computed for this batch alone.
    pub(super) apart: bool,
    /// [`Core::stores`](crate::cache_core::Core::stores) before the lookup.
    pub(super) stores: u64,
    pub(super) observer: Observer,
}
