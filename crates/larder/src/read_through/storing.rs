//! Storing entries.

use crate::{cache::Cache, entry::Entry, panic_guard, spans::Traced};

/// Stores values again that have another lifetime: they are no news.
pub(crate) async fn rewrite(cache: &(impl Cache + ?Sized), entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    // Values that cannot be shared were reported when they were stored first.
    let _ = panic_guard::contain_future(cache.storage().keep(entries)).await;
}

/// Stores computed values.
pub(super) async fn write(cache: &(impl Cache + ?Sized), entries: &[Entry]) {
    let Some(first) = entries.first() else { return };
    let core = cache.core();
    let (function, namespace) = core.statistics().names(first.0.group);
    let span = Traced::store(core.name(), function, namespace, entries.len());
    let storage = cache.storage();
    // What it was computed for is not lost if a `Serialize`, a weigher or a cache panics.
    let written = match storage.memory_alone() {
        Some(memory) => span.enter(|| panic_guard::contain(|| memory.keep(entries))).map(Ok),
        None => span.clone().wrap(panic_guard::contain_future(storage.write(entries))).await,
    };
    let Some(written) = written else { return };
    span.record("outcome", if written.is_ok() { "stored" } else { "not shared" });
    if let Err(error) = written {
        // The warning was given where it was found, once.
        panic_guard::report!(debug, %error, "a computed value is not shared with other processes");
    }
    entries.iter().for_each(|entry| cache.core().stored(entry));
}
