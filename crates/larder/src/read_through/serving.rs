//! What a call is given that need not be computed: entries that were stored after the lookup, and what it serves.

use super::{
    lookup::serve,
    request::{Request, Step},
};
use crate::{
    cache::Cache,
    dependencies,
    entry::{Entry, Freshness},
    error_sharing::Sharing,
    outcome::{Source, Tier},
    singleflight::{Leader, Outcome},
    value::LocalValue,
};

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// A fresh entry that was stored after the lookup. To look for no reason would count as one more use of the key
    /// where it is decided what is kept.
    fn find_new(&self) -> Option<Entry> {
        let core = self.core();
        if core.stores() == self.stores || !core.is_enabled() {
            return None;
        }
        let entry = self.cache.storage().peek(self.at())?;
        (core.judge(&entry) == Ok(Freshness::Fresh)).then_some(entry)
    }

    /// The same, with what it answers to this caller.
    pub(super) fn find_answer<V: LocalValue, E>(&self) -> Option<(Result<V, E>, Entry)>
    where
        S: Sharing<E>,
    {
        let entry = self.find_new()?;
        Some((self.answer(&entry)?, entry))
    }

    /// What an entry that may be used answers to this caller: its value, or the error that it keeps. None if it is of
    /// another type.
    pub(super) fn answer<V: LocalValue, E>(&self, entry: &Entry) -> Option<Result<V, E>>
    where
        S: Sharing<E>,
    {
        let answer = match entry.0.is_error() {
            true => Err(self.sharing.kept(entry)?),
            false => Ok(entry.value::<V>()?.clone()),
        };
        dependencies::record(self.core().epochs(), &entry.0);
        Some(answer)
    }

    /// Ends a computation that need not begin: with an entry that was found, and what it answers.
    pub(super) fn complete<V, E>(
        &self,
        leader: impl Into<Option<Leader>>,
        entry: Entry,
        answer: Result<V, E>,
        tier: Tier,
    ) -> Step<V, E> {
        self.span.answered("hit", tier);
        self.tell_found(&entry, Source::Hit, tier);
        self.core().tell_hit(&entry.0, tier, false);
        // Its source has answered, if in another process.
        self.core().pauses().clear(self.hash);
        if let Some(leader) = leader.into() {
            leader.complete(Outcome::Value(entry), false);
        }
        Step::Done(answer)
    }

    /// The value of an entry of the right type that was found earlier, if it may still be served.
    pub(super) fn serve_if_usable<V: LocalValue>(&self, entry: &Entry) -> Option<V> {
        let freshness = self.core().judge(entry).ok()?;
        Some(self.give(entry, freshness, Tier::Memory))
    }

    /// Serves an entry.
    pub(super) fn give<V: LocalValue>(&self, entry: &Entry, freshness: Freshness, tier: Tier) -> V {
        let is_fresh = freshness.is_within_ttl();
        self.span.answered(if is_fresh { "hit" } else { "stale" }, tier);
        self.tell_found(entry, if is_fresh { Source::Hit } else { Source::Stale }, tier);
        serve(self.core(), entry, freshness, tier)
    }

    /// Tells that the call is given what lay in the cache.
    fn tell_found(&self, entry: &Entry, source: Source, tier: Tier) {
        self.observer.tell(|| entry.0.outcome(source, Some(tier), self.core().now()));
    }

    /// Tells that the call is given what another one computed.
    pub(super) fn tell_joined(&self, entry: &Entry) {
        self.observer.tell(|| entry.0.outcome(Source::Joined, None, self.core().now()));
    }
}
