//! Many keys at once: one computation for all that are missing, and still one a key across batches that
//! overlap.

mod apart;

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use self::apart::compute_apart;
use super::{
    computation::{self, Ended},
    lookup::{find, read, serve},
    request::{Refreshed, Request, Step, Wanted, refuses},
    steps::Progress,
};
use crate::{
    cache::Cache,
    cache_core::Lookup,
    deferred,
    dependencies::{self, Frame},
    entry::{Entry, Freshness},
    error_sharing::Unshared,
    key,
    outcome::Tier,
    panic_guard,
    policy::Policy,
    scope::Scope,
    singleflight::{Failure, Leader, Outcome, Waiter, Watch},
    spans::Traced,
    value::LocalValue,
};

/// An item of a batch, and the request for its key.
struct Item<'a, I, C: ?Sized> {
    item: I,
    request: Request<'a, C, Unshared>,
    progress: Progress,
}

/// The items that have no value yet, by what is next for them.
struct Open<'a, I, C: ?Sized> {
    waiting: Vec<(Item<'a, I, C>, Waiter)>,
    reading: Vec<(Item<'a, I, C>, Leader, Refreshed)>,
    computing: Vec<(Item<'a, I, C>, Option<Leader>)>,
    /// What is stored again because it was asked for.
    prolonged: Vec<Entry>,
}

/// A batch under way.
struct Batch<'a, I, V, C: ?Sized, F> {
    cache: &'a C,
    policy: &'a Policy,
    wanted: Wanted,
    compute: F,
    /// All is computed, and replaces what is there.
    replaces: bool,
    values: HashMap<I, V>,
    open: Open<'a, I, C>,
    began: Instant,
}

/// The values of `items` (each with its full key), by item. An item that `compute` has no value for is
/// left out.
pub(crate) async fn get_or_compute_many<I, V, E, C, F, Fut>(
    cache: &C,
    items: Vec<(I, String)>,
    terms: (&Policy, Wanted),
    compute: F,
) -> Result<HashMap<I, V>, E>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    F: FnMut(Vec<I>) -> Fut,
    Fut: Future<Output = Result<HashMap<I, V>, E>>,
{
    if deferred::is_current() {
        return compute_apart(cache, items, compute).await;
    }
    run(cache, items, terms, (compute, false)).await
}

/// Computes the values of all `items` now, whatever the cache has, and replaces that. No other caller joins. An item
/// that `compute` has no value for is invalidated.
pub(crate) async fn refresh_many<I, V, E, C, F, Fut>(
    cache: &C,
    items: Vec<(I, String)>,
    terms: (&Policy, Wanted),
    compute: F,
) -> Result<HashMap<I, V>, E>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    F: FnMut(Vec<I>) -> Fut,
    Fut: Future<Output = Result<HashMap<I, V>, E>>,
{
    run(cache, items, terms, (compute, true)).await
}

async fn run<I, V, E, C, F, Fut>(
    cache: &C,
    items: Vec<(I, String)>,
    (policy, wanted): (&Policy, Wanted),
    (compute, replaces): (F, bool),
) -> Result<HashMap<I, V>, E>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    F: FnMut(Vec<I>) -> Fut,
    Fut: Future<Output = Result<HashMap<I, V>, E>>,
{
    let watch = Watch::new(policy.takeover_after);
    let (core, count) = (cache.core(), items.len());
    let values = HashMap::with_capacity(items.len());
    let open =
        Open { waiting: Vec::new(), reading: Vec::new(), computing: Vec::new(), prolonged: Vec::new() };
    let wanted = wanted.within(cache);
    let (function, namespace) = core.statistics().names(wanted.of.group);
    let span = Traced::get_many(core.name(), function, namespace, count);
    let batch = Batch { cache, policy, wanted, compute, replaces, values, open, began: Instant::now() };
    span.wrap(watch.run(batch.run(items, &watch))).await
}

impl<'a, I, V, C, F> Batch<'a, I, V, C, F>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    C: Cache + ?Sized,
{
    async fn run<E, Fut>(mut self, items: Vec<(I, String)>, watch: &Arc<Watch>) -> Result<HashMap<I, V>, E>
    where
        E: Send + 'static,
        F: FnMut(Vec<I>) -> Fut,
        Fut: Future<Output = Result<HashMap<I, V>, E>>,
    {
        self.start::<E>(items, watch)?;
        loop {
            self.compute().await?;
            if self.open.waiting.is_empty() {
                return Ok(self.values);
            }
            self.wait().await?;
        }
    }

    /// Takes what the cache has, and enters singleflight for the rest.
    fn start<E: Send + 'static>(&mut self, items: Vec<(I, String)>, watch: &Arc<Watch>) -> Result<(), E> {
        let (cache, terms) = (self.cache, (self.policy, self.wanted));
        let core = cache.core();
        // Before the lookups: see `Request::find_new`.
        let stores = core.stores();
        let mut seen = HashSet::with_capacity(items.len());
        for (item, key) in items {
            if !seen.insert(item.clone()) {
                continue;
            }
            let hash = core.lookup(&key).hash;
            // No look, and no lead: this one computes anew.
            let apart = self.replaces || refuses(core, &key, self.wanted.of.group);
            let found = if apart { None } else { find::<V>(cache, Lookup { key: &key, hash }) };
            if let Some((entry, Freshness::Fresh)) = &found {
                self.values.insert(item, serve(core, entry, Freshness::Fresh, Tier::Memory));
                continue;
            }
            let request = Request::new(cache, terms, (key, hash), (Unshared, stores), watch.clone());
            let mut item = Item { item, request, progress: Progress::default() };
            let step = match apart {
                true => Step::Compute(None, None),
                false => item.request.start(found, &mut item.progress),
            };
            self.advance::<E>(item, step)?;
        }
        Ok(())
    }

    /// Goes from step to step with one item until it has a value, or has to wait together with others.
    fn advance<E>(&mut self, mut item: Item<'a, I, C>, mut step: Step<V, E>) -> Result<(), E>
    where
        E: Send + 'static,
    {
        loop {
            step = match step {
                Step::Done(value) => {
                    self.values.insert(item.item, value?);
                    return Ok(());
                }
                Step::Enter => item.request.enter(&mut item.progress),
                Step::Prolong(entry, freshness, tier) => {
                    self.open.prolonged.extend(item.request.prolonged::<V>(&entry));
                    Step::Done(Ok(item.request.give(&entry, freshness, tier)))
                }
                Step::Wait(waiter) => {
                    self.open.waiting.push((item, waiter));
                    return Ok(());
                }
                Step::Read(leader, refreshed) => {
                    self.open.reading.push((item, leader, refreshed));
                    return Ok(());
                }
                // Batches ask for no lease.
                Step::Lease(leader, refreshed) => Step::Compute(Some(leader), refreshed),
                // One call computes all that is left.
                Step::Turn => Step::Compute(None, None),
                Step::Compute(leader, refreshed) => {
                    let stale = refreshed.map(|(entry, _)| entry);
                    item.progress.stale = stale.or(item.progress.stale);
                    self.open.computing.push((item, leader));
                    return Ok(());
                }
            };
        }
    }

    /// Reads what this batch leads, all at once, and computes what that leaves, all in one call. No other computation
    /// is waited for meanwhile, so that two batches that lead what the other one needs both go on.
    async fn compute<E, Fut>(&mut self) -> Result<(), E>
    where
        E: Send + 'static,
        F: FnMut(Vec<I>) -> Fut,
        Fut: Future<Output = Result<HashMap<I, V>, E>>,
    {
        let reading = std::mem::take(&mut self.open.reading);
        let keys: Vec<_> = reading.iter().map(|(item, ..)| item.request.at()).collect();
        let found = read::<V>(self.cache, &keys, self.wanted.of).await;
        for ((mut item, leader, refreshed), found) in reading.into_iter().zip(found) {
            let step = item.request.after_read(leader, refreshed, found, &mut item.progress);
            self.advance::<E>(item, step)?;
        }
        computation::rewrite(self.cache, &std::mem::take(&mut self.open.prolonged)).await;
        // And then the look, as for a single key.
        let since = self.cache.core().begin();
        self.take_new::<E>()?;
        let computing = std::mem::take(&mut self.open.computing);
        if computing.is_empty() {
            return Ok(());
        }
        if !self.replaces {
            computing.iter().for_each(|(item, leader)| item.request.note_start(leader.as_ref()));
        }
        let core = self.cache.core();
        let led = computing.iter().filter_map(|(_, leader)| leader.as_ref().map(Leader::id));
        let in_flight = led.chain(dependencies::current_in_flight());
        let frame = Frame::new(in_flight, since, self.policy.detached);
        let _passed_on = frame.pass_on();
        let items = computing.iter().map(|(item, _)| item.item.clone()).collect();
        let group = self.wanted.of.group;
        core.count_in(group, |counters| &counters.computations);
        let began = Instant::now();
        // All of them link to the one computation.
        let (function, namespace) = core.statistics().names(group);
        let span = Traced::default().compute(core.name(), function, namespace, "");
        for leader in computing.iter().filter_map(|(_, leader)| leader.as_ref()) {
            leader.set_span(&span);
        }
        let computed = span.clone().wrap(frame.run(async { (self.compute)(items).await })).await;
        span.record("outcome", if computed.is_ok() { "success" } else { "failure" });
        drop(span);
        let took = began.elapsed();
        core.computed(None, group, (took, computed.is_ok()));
        match computed {
            Ok(values) => {
                // Each of them has its share.
                let share = took / u32::try_from(computing.len()).unwrap_or(u32::MAX);
                self.store(values, computing, (&frame, share)).await;
                Ok(())
            }
            Err(error) => {
                core.count_in(group, |counters| &counters.failures);
                self.fail(error, computing, &frame)
            }
        }
    }

    /// Takes what was stored in the meantime of what is about to be computed.
    fn take_new<E: Send + 'static>(&mut self) -> Result<(), E> {
        if self.replaces {
            return Ok(());
        }
        for (item, leader) in std::mem::take(&mut self.open.computing) {
            match item.request.find_answer::<V, E>() {
                Some((answer, entry)) => {
                    let step = item.request.complete(leader, entry, answer, "memory");
                    self.advance(item, step)?;
                }
                None => self.open.computing.push((item, leader)),
            }
        }
        Ok(())
    }

    async fn store(
        &mut self,
        mut values: HashMap<I, V>,
        computed: Vec<(Item<'a, I, C>, Option<Leader>)>,
        (frame, took): (&Frame, Duration),
    ) {
        let core = self.cache.core();
        let ended = Ended { frame, decisions: frame.decisions(), replaces: self.replaces, took };
        let unshared = ended.decisions.unshared;
        let (mut wanted, mut completing) = (Vec::new(), Vec::new());
        for (Item { item, request, progress }, leader) in computed {
            core.pauses().clear(request.hash);
            let Some(value) = values.remove(&item) else {
                // There is no value to share: each of those who wait for this key asks for itself.
                dependencies::record_absent(core.epochs(), &request.key);
                leader.into_iter().for_each(|leader| leader.complete(Outcome::Unshared, false));
                if progress.stale.is_some() || self.replaces && key::check(&request.key).is_ok() {
                    // One that is computed anew, and is gone at its source.
                    drop(self.cache.storage().apply(&[Scope::key(&*request.key)]));
                }
                continue;
            };
            if key::check(&request.key).is_ok() {
                let Some((entry, is_wanted)) = panic_guard::contain(|| request.entry_of(&value, &ended))
                else {
                    leader.into_iter().for_each(|leader| leader.complete(Outcome::Unshared, false));
                    self.values.insert(item, value);
                    continue;
                };
                dependencies::record(core.epochs(), &entry.0);
                let superseded = leader.as_ref().is_some_and(Leader::is_superseded);
                wanted.extend((is_wanted && !superseded).then(|| entry.clone()));
                let outcome = if unshared { Outcome::Unshared } else { Outcome::Value(entry) };
                completing.extend(leader.map(|leader| (leader, outcome)));
            }
            self.values.insert(item, value);
        }
        // In one go: where it takes a round trip, it takes one.
        computation::write(self.cache, &wanted).await;
        completing.into_iter().for_each(|(leader, outcome)| leader.complete(outcome, false));
    }

    /// Completes a failed computation. The failure is the batch's, unless each item has a stale value that may be
    /// served in its place.
    fn fail<E>(
        &mut self,
        error: E,
        computed: Vec<(Item<'a, I, C>, Option<Leader>)>,
        frame: &Frame,
    ) -> Result<(), E> {
        let core = self.cache.core();
        let mut error = Some(error);
        let mut outcome = Ok(());
        for (Item { item, request, progress }, leader) in computed {
            request.note_failure(progress.stale.as_ref());
            let cover = Arc::new(frame.cover(request.scopes.clone(), core.epochs()));
            if let Some(leader) = leader {
                leader.complete(Outcome::Failure(Failure { error: None, cover: cover.clone() }), false);
            }
            match progress.stale.and_then(|entry| request.serve_if_usable(&entry)) {
                Some(value) => drop(self.values.insert(item, value)),
                None => {
                    dependencies::record_dependencies(core.epochs(), &cover);
                    outcome = error.take().map_or(outcome, Err);
                }
            }
        }
        outcome
    }

    /// Waits for what others compute, one after the other. What that leaves open is for another round.
    async fn wait<E, Fut>(&mut self) -> Result<(), E>
    where
        E: Send + 'static,
        F: FnMut(Vec<I>) -> Fut,
        Fut: Future<Output = Result<HashMap<I, V>, E>>,
    {
        let mut outdated = Vec::new();
        let mut waiting = std::mem::take(&mut self.open.waiting).into_iter();
        while let Some((item, waiter)) = waiting.next() {
            // All that others compute is waited for as long as a single value would be.
            let limit = self.policy.timeout.map(|limit| limit.saturating_sub(self.began.elapsed()));
            let step = item.request.wait::<V, E>(waiter, limit, &item.progress).await;
            if let Step::Enter = step {
                // Not now: it may come to lead, while this batch waits for others.
                outdated.push(item);
                continue;
            }
            let leads = step.is_leader();
            self.advance(item, step)?;
            if leads {
                // At once, for a leader that waits for another computation could wait for itself; and together with
                // whatever else was left by the same leader.
                let mut others = Vec::new();
                for (item, waiter) in waiting {
                    match waiter.take_over(self.cache.core().epochs()) {
                        Ok(leader) => {
                            let step = item.request.lead(leader, None);
                            self.advance::<E>(item, step)?;
                        }
                        Err(waiter) => others.push((item, waiter)),
                    }
                }
                self.compute().await?;
                waiting = others.into_iter();
            }
        }
        outdated.into_iter().try_for_each(|item| self.advance::<E>(item, Step::Enter))
    }
}
