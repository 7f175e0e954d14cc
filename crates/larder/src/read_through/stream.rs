//! Streams: their items are passed on while they are collected, and stored together when the stream has ended.
//!
//! A stream joins no other one and is joined by none: its consumer may be slow, or go away, and no other may have to wait
//! for that. What is stored is a list, by the one rule as any other value: its read version is taken before the source
//! begins, and what the source reads from caches whenever it is polled covers it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::AtomicU64},
    task::{Context, Poll},
    time::Instant,
};

use futures_core::Stream;

use super::{
    lookup::{count_hit, find, here, read_one, reads_further, within_ttl},
    made_entry::Ended,
    request::{Request, Wanted, refuses},
    storing::write,
};
use crate::{
    cache::Cache,
    deferred,
    dependencies::{self, Frame, LastReader, PassOn},
    entry::Entry,
    epoch::ReadVersion,
    error_sharing::Unshared,
    mutant::{self, Rule},
    outcome::{NotStored, Observer, Source, Tier},
    panic_guard,
    policy::Policy,
    scope::{self, ScopeHash, ScopeSet},
    singleflight::Watch,
    spans::Traced,
    stats::Counters,
    value::LocalValue,
};

/// What a stream is asked for with.
pub(crate) struct Terms {
    pub(crate) cache: Arc<dyn Cache>,
    /// The full key; empty if it is refused.
    pub(crate) key: Arc<str>,
    pub(crate) policy: Policy,
    pub(crate) wanted: Wanted,
    /// How many items are stored at most.
    pub(crate) max_items: usize,
    /// It is made anew, whatever the cache has.
    pub(crate) refreshes: bool,
    /// The call goes without the cache.
    pub(crate) passes_by: bool,
    /// Where the call notes its outcome.
    pub(crate) observer: Observer,
}

/// What finds the list that is stored for a stream. None if its source has to be asked.
pub(crate) type Looking = Pin<Box<dyn Future<Output = Option<Found>> + Send>>;

/// The list that is stored for a stream.
pub(crate) struct Found {
    cache: Arc<dyn Cache>,
    entry: Entry,
    /// When it was found valid.
    since: ReadVersion,
    last_reader: LastReader,
}

impl Found {
    /// Its items are a part of the computation that takes them, which may be another one than that which asked for them.
    pub(crate) fn list<V: LocalValue>(&mut self) -> Option<&Vec<V>> {
        if self.last_reader.is_another() {
            dependencies::record_found(self.cache.core().epochs(), &self.entry.0, self.since);
        }
        self.entry.value::<Vec<V>>()
    }
}

/// What stores a list.
pub(crate) type Storing = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Terms {
    /// Looks for the list that is stored, in memory and behind it.
    pub(crate) fn look<V: LocalValue>(&self) -> Looking {
        let (cache, key, of) = (self.cache.clone(), self.key.clone(), self.wanted.within(&*self.cache).of);
        let skips = self.passes_by || self.refreshes || key.is_empty();
        let observer = self.observer.clone();
        Box::pin(async move {
            let shared = cache.clone();
            let (cache, core) = (&*cache, cache.core());
            if skips || deferred::is_current() || !core.is_enabled() {
                return None;
            }
            let since = core.begin();
            let at = core.lookup(&key);
            let (found, older) = here(find::<Vec<V>>(cache, at));
            let (entry, tier) = match found {
                Some((entry, freshness)) => {
                    count_hit(core, &entry, freshness, Tier::Memory);
                    (entry, Tier::Memory)
                }
                None => {
                    core.count_in(of.group, |counters| &counters.misses);
                    core.tell_miss(&key, of.group);
                    let read = match of.is_local || !reads_further(cache) {
                        true => None,
                        false => {
                            let (function, namespace) = core.statistics().names(of.group);
                            let span = Traced::get(core.name(), function, namespace, &key);
                            let read = within_ttl(span.clone().wrap(read_one::<Vec<V>>(cache, at, of)).await);
                            match &read {
                                Some((entry, _)) => span.answered("hit", entry.origin()),
                                None => span.record("outcome", "miss"),
                            }
                            read
                        }
                    };
                    if let Some((entry, _)) = &read {
                        core.tell_hit(&entry.0, entry.origin(), false);
                        core.count_in(of.group, |counters| &counters.misses_shared);
                    }
                    match read {
                        Some((entry, _)) => (entry.clone(), entry.origin()),
                        None => (older?.0, Tier::Memory),
                    }
                }
            };
            dependencies::record(core.epochs(), &entry.0);
            observer.tell(|| entry.0.outcome(Source::Hit, Some(tier), core.now()));
            observer.settle();
            Some(Found { cache: shared, entry, since, last_reader: LastReader::default() })
        })
    }

    /// Begins, before the source is made.
    pub(crate) fn begin<V: LocalValue>(self: Arc<Self>) -> Collecting<V> {
        let (core, wanted) = (self.cache.core(), self.wanted.within(&*self.cache));
        let group = wanted.of.group;
        let collects = match () {
            () if self.passes_by => false,
            () if deferred::is_current() => self.goes_without(NotStored::InTransaction),
            () if refuses(core, &self.key, group) => self.goes_without(NotStored::KeyRefused),
            () if !core.is_enabled() => {
                self.goes_without(NotStored::Disabled);
                core.count_in(group, |counters| &counters.bypassed);
                false
            }
            () => {
                core.count_in(group, |counters| &counters.computations);
                dependencies::record_scopes(core.epochs(), || scope::covering(&self.key, &self.policy.tags));
                self.observer.computed(Some(NotStored::Unfinished));
                true
            }
        };
        let detached = self.policy.detached && collects;
        let frame = Frame::new(dependencies::current_in_flight(), core.begin(), detached);
        let (passed_on, items) = (Some(frame.pass_on()), collects.then(Vec::new));
        let began = collects.then(Instant::now);
        let (function, namespace) = core.statistics().names(group);
        let span = match collects {
            true => Traced::default().compute(core.name(), function, namespace, &self.key),
            false => Traced::default(),
        };
        Collecting {
            terms: self,
            wanted,
            frame,
            passed_on,
            items,
            failed: false,
            passed: 0,
            last_reader: LastReader::default(),
            began,
            span,
            is_stored: false,
        }
    }

    /// Tells why nothing is stored. False.
    fn goes_without(&self, why: NotStored) -> bool {
        self.observer.computed(Some(why));
        false
    }
}

/// A stream under way, as far as it was polled.
pub(crate) struct Collecting<V> {
    terms: Arc<Terms>,
    wanted: Wanted,
    frame: Arc<Frame>,
    passed_on: Option<PassOn>,
    /// None once it is known that nothing is stored.
    items: Option<Vec<V>>,
    /// An item was a failure.
    failed: bool,
    /// How much of what it read was passed on.
    passed: u64,
    /// To which computation.
    last_reader: LastReader,
    /// None if it goes without the cache.
    began: Option<Instant>,
    /// From the first poll of the source to its end.
    span: Traced,
    /// It has ended, and is being stored.
    is_stored: bool,
}

impl<V: LocalValue> Collecting<V> {
    /// The computation that the source is a part of.
    pub(crate) fn frame(&self) -> &Arc<Frame> {
        &self.frame
    }

    /// Polls the source as a part of the computation, and collects what it gives. `copy` makes a copy of an item; none of
    /// one that is a failure.
    pub(crate) fn poll<I, S: Stream<Item = I>>(
        &mut self,
        source: Pin<&mut S>,
        context: &mut Context<'_>,
        copy: fn(&I) -> Option<V>,
    ) -> Poll<Option<I>> {
        // A panic of the source may take an item with it: what is collected is given up then, for a consumer that goes on.
        // What it reads in a scope of deferred invalidations is not what others may be given.
        let items = self.items.take().filter(|_| !deferred::is_current());
        let polled = match mutant::is(Rule::StreamPollsNotRecorded) {
            false => self.span.enter(|| self.frame.enter(|| source.poll_next(context))),
            true => source.poll_next(context),
        };
        self.items = items;
        // What is computed around this poll may be another computation than that around the last one.
        if self.last_reader.is_another() {
            self.passed = self.frame.records();
            let own = || scope::covering(&self.terms.key, &self.terms.policy.tags);
            let own = if self.began.is_some() { own() } else { ScopeSet::default() };
            self.frame.pass_on_begun(self.terms.cache.core().epochs(), &own);
        } else if dependencies::recording() {
            let records = self.frame.records();
            if std::mem::replace(&mut self.passed, records) != records {
                drop(self.frame.pass_on());
            }
        }
        if let Poll::Ready(Some(item)) = &polled {
            self.collect(item, copy);
        }
        polled
    }

    fn collect<I>(&mut self, item: &I, copy: fn(&I) -> Option<V>) {
        let Some(items) = &mut self.items else { return };
        if items.len() >= self.terms.max_items {
            return self.give_up(NotStored::TooLong, |counters| &counters.stores_too_long);
        }
        // One that cannot be cloned is its consumer's alone.
        match panic_guard::contain(|| copy(item)) {
            Some(Some(copy)) => items.push(copy),
            Some(None) => {
                self.failed = true;
                self.give_up(NotStored::Failed, |counters| &counters.failures);
            }
            None => {
                self.terms.observer.not_stored(NotStored::NotCloned);
                self.items = None;
            }
        }
    }

    /// Keeps nothing of it any more.
    fn give_up(&mut self, told: NotStored, why: fn(&Counters) -> &AtomicU64) {
        self.terms.observer.not_stored(told);
        if told == NotStored::Failed {
            self.span.record("outcome", "failure");
        }
        self.terms.cache.core().count_in(self.wanted.of.group, why);
        self.items = None;
    }

    /// The source has ended. Stores what was collected, if all of it was, and is to be.
    pub(crate) fn end(mut self) -> Option<Storing> {
        let (terms, wanted, took) = (self.terms.clone(), self.wanted, self.began?.elapsed());
        terms.cache.core().computed(Some(&terms.key), wanted.of.group, (took, true));
        let Some(items) = self.items.take() else {
            // What is there is older than what was made now.
            if terms.refreshes && !self.failed {
                terms.cache.core().replace(&[ScopeHash::key(&terms.key)], drop);
            }
            return None;
        };
        self.is_stored = true;
        self.span.record("outcome", "success");
        self.span = Traced::default();
        let (frame, passed_on) = (self.frame.clone(), self.passed_on.take());
        Some(Box::pin(async move {
            let (cache, core) = (&*terms.cache, terms.cache.core());
            let at = (terms.key.clone(), core.lookup(&terms.key).hash);
            let watch = Watch::new(terms.policy.takeover_after);
            let told = (Traced::default(), terms.observer.clone());
            let request = Request::new(cache, (&terms.policy, wanted), at, (Unshared, 0), watch, told);
            request.observer.computed(None);
            let ended =
                Ended { frame: &frame, decisions: frame.decisions(), replaces: terms.refreshes, took };
            let (entry, is_wanted) = request.entry_of_list(items, &ended);
            if request.is_stored(&entry, is_wanted, None) {
                write(cache, std::slice::from_ref(&entry)).await;
            }
            dependencies::record(core.epochs(), &entry.0);
            drop(passed_on);
            request.observer.settle();
        }))
    }
}

impl<V> Drop for Collecting<V> {
    /// Its consumer went away before the end, or there is nothing to store.
    fn drop(&mut self) {
        if self.items.is_some() {
            self.terms.cache.core().count_in(self.wanted.of.group, |counters| &counters.stores_unfinished);
        }
        if !self.is_stored {
            self.terms.observer.settle();
        }
    }
}
