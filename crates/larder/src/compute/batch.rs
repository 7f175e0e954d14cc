//! Many keys at once: one computation for all that are missing, and still one a key across batches that
//! overlap.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    hash::Hash,
    sync::Arc,
    time::Instant,
};

use super::{Call, find, receive, serve, shared};
use crate::{
    cache::Cache,
    dependencies::{self, Frame},
    entry::{Entry, Freshness},
    error_sharing::Unshared,
    key, panic_guard,
    policy::Policy,
    scope::Scope,
    singleflight::{Arrival, Awaited, Failure, Leader, Outcome, Role, Wait, Waiter, Watch},
    value::Value,
};

/// An item that has no value yet.
struct Open<I> {
    item: I,
    key: Arc<str>,
    came: Option<Arrival>,
    /// Joining would not help: what was waited for could not be shared.
    alone: bool,
    stale: Option<Entry>,
}

/// An item that this batch computes, and the computation it leads for it, if any.
type Led<I> = (Open<I>, Option<Leader>);

/// A batch under way.
struct Batch<'a, I, V, C: ?Sized, F> {
    cache: &'a C,
    policy: &'a Policy,
    compute: F,
    values: HashMap<I, V>,
    /// See [`Call::stores`].
    stores: u64,
    watch: Arc<Watch>,
    began: Instant,
}

/// The values of `items` (each with its full key), by item. An item that `compute` has no value for is
/// left out.
pub(crate) async fn get_or_compute_many<I, V, E, C, F, Fut>(
    cache: &C,
    items: Vec<(I, String)>,
    policy: &Policy,
    compute: F,
) -> Result<HashMap<I, V>, E>
where
    I: Clone + Eq + Hash + Send,
    V: Value,
    E: Send + 'static,
    C: Cache + ?Sized,
    F: FnMut(Vec<I>) -> Fut + Send,
    Fut: Future<Output = Result<HashMap<I, V>, E>> + Send,
{
    let values = HashMap::with_capacity(items.len());
    let watch = Watch::new(policy.takeover_after);
    let (stores, began) = (cache.core().stores(), Instant::now());
    let batch = Batch { cache, policy, compute, values, stores, watch: watch.clone(), began };
    watch.run(batch.run(items)).await
}

impl<I, V, C, F> Batch<'_, I, V, C, F>
where
    I: Clone + Eq + Hash,
    V: Value,
    C: Cache + ?Sized,
{
    fn call<'k>(&'k self, key: &'k str) -> Call<'k, C, Unshared> {
        let at = self.cache.core().lookup(key);
        let (sharing, stores, watch) = (Unshared, self.stores, self.watch.clone());
        Call { cache: self.cache, at, policy: self.policy, sharing, stores, watch }
    }

    async fn run<E, Fut>(mut self, items: Vec<(I, String)>) -> Result<HashMap<I, V>, E>
    where
        E: Send + 'static,
        F: FnMut(Vec<I>) -> Fut,
        Fut: Future<Output = Result<HashMap<I, V>, E>>,
    {
        let (mut open, mut led) = self.look(items);
        loop {
            let joins = self.enter(open, &mut led);
            self.lead(led).await?;
            open = self.join(joins).await?;
            if open.is_empty() {
                return Ok(self.values);
            }
            led = Vec::new();
        }
    }

    /// Takes what the cache has. What is due for a refresh is led if nobody else does.
    fn look(&mut self, items: Vec<(I, String)>) -> (Vec<Open<I>>, Vec<Led<I>>) {
        let core = self.cache.core();
        let (mut open, mut led) = (Vec::new(), Vec::new());
        let mut seen = HashSet::with_capacity(items.len());
        for (item, key) in items {
            if !seen.insert(item.clone()) {
                continue;
            }
            let mut missing = Open { item, key: key.into(), came: None, alone: false, stale: None };
            if key::check(&missing.key).is_err() {
                core.count(|counters| &counters.refused_keys);
                missing.alone = true;
                open.push(missing);
                continue;
            }
            let call = self.call(&missing.key);
            match find::<V>(self.cache, call.at) {
                Some((entry, Freshness::Fresh)) => {
                    let value = serve(core, &entry, Freshness::Fresh);
                    self.values.insert(missing.item, value);
                }
                Some((entry, freshness @ (Freshness::RefreshAhead | Freshness::StaleWhileRevalidate))) => {
                    if let Some(lead) = call.lead_refresh::<V>() {
                        missing.stale = Some(entry);
                        led.push((missing, Some(lead)));
                    } else {
                        let value = serve(core, &entry, freshness);
                        self.values.insert(missing.item, value);
                    }
                }
                other => {
                    core.count(|counters| &counters.misses);
                    missing.stale = other.map(|(entry, _)| entry);
                    open.push(missing);
                }
            }
        }
        (open, led)
    }

    /// Enters the computation of each open item: those it leads are added to `led`.
    fn enter(&self, open: Vec<Open<I>>, led: &mut Vec<Led<I>>) -> Vec<(Open<I>, Waiter)> {
        let core = self.cache.core();
        let mut joins = Vec::new();
        for mut missing in open {
            if missing.alone {
                core.count(|counters| &counters.unjoined);
                led.push((missing, None));
                continue;
            }
            let call = self.call(&missing.key);
            let (work, scopes) = (call.work::<V>(), call.own_scopes());
            let (role, came) =
                core.singleflight().enter(call.caller(&work, &scopes), core.epochs(), missing.came);
            missing.came = Some(came);
            match role {
                Role::Leader(lead) => led.push((missing, Some(lead))),
                Role::Waiter(join) => joins.push((missing, join)),
            }
        }
        joins
    }

    /// Computes what this batch leads, all in one call. Nothing is waited for meanwhile, so that two
    /// batches that lead what the other one needs both go on.
    async fn lead<E, Fut>(&mut self, led: Vec<Led<I>>) -> Result<(), E>
    where
        E: Send + 'static,
        F: FnMut(Vec<I>) -> Fut,
        Fut: Future<Output = Result<HashMap<I, V>, E>>,
    {
        let led = self.take_new(led);
        let led = self.take_shared(led).await;
        if led.is_empty() {
            return Ok(());
        }
        for (open, lead) in &led {
            lead.iter().for_each(|lead| self.call(&open.key).note_takeover(lead));
        }
        let core = self.cache.core().clone();
        let in_flight = led.iter().filter_map(|(_, lead)| lead.as_ref().map(Leader::id));
        let nested_in = dependencies::current_in_flight();
        let frame = Frame::new(in_flight.chain(nested_in), core.begin(), self.policy.detached);
        let _passed_on = frame.pass_on();
        let items = led.iter().map(|(missing, _)| missing.item.clone()).collect();
        core.count(|counters| &counters.computations);
        let computed = frame.run(async { (self.compute)(items).await }).await;
        match computed {
            Ok(values) => {
                self.store(values, led, &frame).await;
                Ok(())
            }
            Err(error) => {
                core.count(|counters| &counters.failures);
                self.fail(error, led, &frame)
            }
        }
    }

    /// Completes the computations whose values were stored after this batch looked. Returns the others.
    fn take_new(&mut self, led: Vec<Led<I>>) -> Vec<Led<I>> {
        let core = self.cache.core();
        let mut missing = Vec::with_capacity(led.len());
        for (open, lead) in led {
            let Some(lead) = lead else {
                missing.push((open, None));
                continue;
            };
            match self.call(&open.key).find_new::<V>() {
                Some(entry) => {
                    self.values.insert(open.item, receive(core, &entry));
                    lead.complete(Outcome::Value(entry), false);
                }
                None => missing.push((open, Some(lead))),
            }
        }
        missing
    }

    /// Completes the computations whose values another process has stored, all found in one look. Returns the others:
    /// batches ask for no lease.
    async fn take_shared(&mut self, led: Vec<Led<I>>) -> Vec<Led<I>> {
        let cache = self.cache;
        let core = cache.core();
        let (sought, mut missing): (Vec<_>, Vec<_>) = led.into_iter().partition(|(_, lead)| lead.is_some());
        let keys: Vec<_> = sought.iter().map(|(open, _)| core.lookup(&open.key)).collect();
        let found = shared::read::<V>(cache, &keys, self.policy.schema).await;
        for ((mut open, lead), found) in sought.into_iter().zip(found) {
            match (found, lead) {
                (Some((entry, Freshness::Fresh)), Some(lead)) => {
                    self.values.insert(open.item, receive(core, &entry));
                    lead.complete(Outcome::Value(entry), false);
                }
                (found, lead) => {
                    open.stale = found.map(|(entry, _)| entry).or(open.stale);
                    missing.push((open, lead));
                }
            }
        }
        missing
    }

    async fn store(&mut self, mut values: HashMap<I, V>, led: Vec<Led<I>>, frame: &Frame) {
        let core = self.cache.core().clone();
        let unshared = frame.decisions().unshared;
        let (mut wanted, mut completing) = (Vec::new(), Vec::new());
        for (missing, lead) in led {
            let Some(value) = values.remove(&missing.item) else {
                // There is no value to share: whoever waits for this key asks for himself.
                dependencies::record_absent(core.epochs(), &missing.key);
                lead.into_iter().for_each(|lead| lead.complete(Outcome::Unshared, false));
                if missing.stale.is_some() {
                    // One that was due for a refresh, and is gone at its source.
                    drop(self.cache.apply(&[Scope::key(&*missing.key)]));
                }
                continue;
            };
            if key::check(&missing.key).is_ok() {
                let made = panic_guard::contain(|| self.call(&missing.key).entry_of(&value, frame, false));
                let Some((entry, is_wanted)) = made else {
                    lead.into_iter().for_each(|lead| lead.complete(Outcome::Unshared, false));
                    self.values.insert(missing.item, value);
                    continue;
                };
                dependencies::record(core.epochs(), &entry.0);
                let superseded = lead.as_ref().is_some_and(Leader::is_superseded);
                wanted.extend((is_wanted && !superseded).then(|| entry.clone()));
                let outcome = if unshared { Outcome::Unshared } else { Outcome::Value(entry) };
                completing.extend(lead.map(|lead| (lead, outcome)));
            }
            self.values.insert(missing.item, value);
        }
        // In one go: where it takes a round trip, it takes one.
        super::write(self.cache, &wanted).await;
        completing.into_iter().for_each(|(lead, outcome)| lead.complete(outcome, false));
    }

    /// Ends the computations of a failed computation. The failure is the batch's, unless each item has a stale
    /// value that may be served in its place.
    fn fail<E>(&mut self, error: E, led: Vec<Led<I>>, frame: &Frame) -> Result<(), E> {
        let core = self.cache.core().clone();
        let mut error = Some(error);
        let mut outcome = Ok(());
        for (missing, lead) in led {
            let call = self.call(&missing.key);
            let cover = Arc::new(frame.cover(call.own_scopes(), core.epochs()));
            if let Some(lead) = lead {
                lead.complete(Outcome::Failure(Failure { error: None, cover: cover.clone() }), false);
            }
            let stale = missing.stale.filter(|entry| call.is_servable(entry));
            match stale {
                Some(entry) => {
                    let value = serve(&core, &entry, entry.0.freshness(core.now()));
                    self.values.insert(missing.item, value);
                }
                None => {
                    dependencies::record_dependencies(core.epochs(), &cover);
                    outcome = error.take().map_or(outcome, Err);
                }
            }
        }
        outcome
    }

    /// Waits for what others compute. What that leaves open is for another round.
    async fn join<E, Fut>(&mut self, joins: Vec<(Open<I>, Waiter)>) -> Result<Vec<Open<I>>, E>
    where
        E: Send + 'static,
        F: FnMut(Vec<I>) -> Fut,
        Fut: Future<Output = Result<HashMap<I, V>, E>>,
    {
        let core = self.cache.core().clone();
        let mut open = Vec::new();
        let mut joins = joins.into_iter();
        while let Some((mut missing, join)) = joins.next() {
            let Some(wait) = Wait::begin(dependencies::current_in_flight(), join.id()) else {
                open.push(Open { alone: true, ..missing });
                continue;
            };
            // All that others compute is waited for as long as a single value would be.
            let limit = self.policy.timeout.map(|limit| limit.saturating_sub(self.began.elapsed()));
            let awaited = self.call(&missing.key).wait(join, &missing.stale, limit).await;
            let Some(awaited) = awaited else {
                let entry = missing.stale.take().expect("only a stale entry ends a wait");
                self.values.insert(missing.item, serve(&core, &entry, Freshness::StaleIfError));
                continue;
            };
            match awaited {
                Awaited::Accepted(Outcome::Value(entry)) => {
                    core.count(|counters| &counters.joined);
                    self.values.insert(missing.item, receive(&core, &entry));
                }
                Awaited::Accepted(Outcome::Failure(_) | Outcome::Unshared) => {
                    missing.alone = true;
                    open.push(missing);
                }
                Awaited::Outdated => open.push(missing),
                Awaited::Leader(lead) => {
                    // At once, for whoever holds a lead and waits for another computation could wait for himself;
                    // and together with whatever else was left by the same leader.
                    drop(wait);
                    let mut led = vec![(missing, Some(lead))];
                    let mut flying = Vec::new();
                    for (missing, join) in joins {
                        match join.take_over(core.epochs()) {
                            Ok(lead) => led.push((missing, Some(lead))),
                            Err(join) => flying.push((missing, join)),
                        }
                    }
                    self.lead(led).await?;
                    joins = flying.into_iter();
                }
            }
        }
        Ok(open)
    }
}
