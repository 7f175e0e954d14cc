//! Many keys at once: one computation for all that are missing, and still one a key across batches that
//! overlap.

mod answers;
mod computing;
mod in_transaction;
mod items;
mod join_all;
pub(super) mod task;
mod waiting;

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    hash::Hash,
    sync::Arc,
    time::Instant,
};

pub(crate) use self::items::{Asked, Rules};
use self::{
    answers::{Answers, Late},
    in_transaction::compute_in_transaction,
    items::Missing,
};
use super::{
    lookup::{find, serve},
    patience::Patience,
    request::{Refreshed, Request, Step, Wanted, refuses},
    steps::Progress,
};
use crate::{
    cache::Cache,
    cache_core::Lookup,
    deferred,
    entry::{Entry, Freshness},
    error_sharing::Sharing,
    outcome::{Source, Tier},
    policy::{Lock, Policy},
    singleflight::{Leader, Waiter, Watch},
    spans::Traced,
    value::LocalValue,
};

/// An item of a batch, and the request for its key.
struct Item<'a, I, C: ?Sized, S> {
    item: I,
    request: Request<'a, C, S>,
    progress: Progress,
}

/// The items that have no value yet, by what is next for them.
struct Open<'a, I, C: ?Sized, S> {
    waiting: Vec<(Item<'a, I, C, S>, Waiter)>,
    /// Waits for its turn: the failure that it waited for cannot be given to it.
    turning: Vec<Item<'a, I, C, S>>,
    reading: Vec<(Item<'a, I, C, S>, Leader, Refreshed)>,
    leasing: Vec<(Item<'a, I, C, S>, Leader, Refreshed)>,
    computing: Vec<(Item<'a, I, C, S>, Option<Leader>)>,
    /// What is stored again because it was asked for.
    prolonged: Vec<Entry>,
}

/// A batch under way.
struct Batch<'a, I, V, C: ?Sized, F, S, U> {
    cache: &'a C,
    policy: &'a Policy,
    wanted: Wanted,
    rules: Rules<S, U>,
    compute: F,
    /// All is computed, and replaces what is there.
    replaces: bool,
    answers: Arc<Answers<I, V>>,
    open: Open<'a, I, C, S>,
    began: Instant,
    patience: Patience,
}

/// The values of what is `asked` for, by item. An item that `compute` has no value for is left out.
///
/// Where it `replaces`, all values are computed, whatever the cache has, and take the place of that; no other caller joins, and
/// an item that `compute` has no value for is invalidated.
pub(crate) async fn compute_many<I, V, E, C, F, Fut, S, U>(
    cache: &C,
    asked: Vec<Asked<I>>,
    (policy, wanted): (&Policy, Wanted),
    rules: Rules<S, U>,
    (compute, replaces): (F, bool),
) -> Result<HashMap<I, V>, E>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    S: Sharing<E>,
    U: Fn(&V) -> bool,
    F: FnMut(Vec<I>) -> Fut,
    Fut: Future<Output = Result<HashMap<I, V>, E>>,
{
    if !replaces && deferred::is_current() {
        return compute_in_transaction(cache, asked, compute).await;
    }
    let wanted = wanted.within(cache);
    let span = span(cache, wanted, asked.len());
    let (answers, missing) = look_up::<I, V, C>(cache, asked, wanted, replaces);
    let (late, sharing) = (Late::of(policy, &missing), rules.sharing);
    let watch = Watch::new(policy.takeover_after);
    let batch = Batch::new((cache, policy, wanted), rules, (compute, replaces), answers.clone());
    let whole = span.wrap(watch.run(batch.run(missing, &watch)));
    late.by_deadline((cache, policy), sharing, &answers, whole).await
}

fn span(cache: &(impl Cache + ?Sized), wanted: Wanted, count: usize) -> Traced {
    let core = cache.core();
    let (function, namespace) = core.statistics().names(wanted.of.group);
    Traced::get_many(core.name(), function, namespace, count)
}

/// What memory has, and what it has not. Each item once.
fn look_up<I: Clone + Eq + Hash, V: LocalValue, C: Cache + ?Sized>(
    cache: &C,
    asked: Vec<Asked<I>>,
    wanted: Wanted,
    replaces: bool,
) -> (Arc<Answers<I, V>>, Vec<Missing<I>>) {
    let core = cache.core();
    // Before the lookups: see `Request::find_new`.
    let stores = core.stores();
    let (mut values, mut missing) = (HashMap::with_capacity(asked.len()), Vec::new());
    let mut seen = HashSet::with_capacity(asked.len());
    for Asked { item, key, observer } in asked {
        if !seen.insert(item.clone()) {
            continue;
        }
        let hash = core.lookup(&key).hash;
        let apart = replaces || refuses(core, &key, wanted.of.group);
        let found = if apart { None } else { find::<V>(cache, Lookup { key: &key, hash }) };
        if let Some((entry, Freshness::Fresh)) = &found {
            observer.tell(|| entry.0.outcome(Source::Hit, Some(Tier::Memory), core.now()));
            values.insert(item, serve(core, entry, Freshness::Fresh, Tier::Memory));
            continue;
        }
        missing.push(Missing { item, key: key.into(), hash, found, apart, stores, observer });
    }
    (Arc::new(Answers::new(values)), missing)
}

impl<'a, I, V, C, F, S, U> Batch<'a, I, V, C, F, S, U>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    C: Cache + ?Sized,
    S: Copy,
{
    fn new(
        (cache, policy, wanted): (&'a C, &'a Policy, Wanted),
        rules: Rules<S, U>,
        (compute, replaces): (F, bool),
        answers: Arc<Answers<I, V>>,
    ) -> Self {
        let open = Open {
            waiting: Vec::new(),
            turning: Vec::new(),
            reading: Vec::new(),
            leasing: Vec::new(),
            computing: Vec::new(),
            prolonged: Vec::new(),
        };
        let (began, patience) = (Instant::now(), Patience::begin(policy.timeout));
        Self { cache, policy, wanted, rules, compute, replaces, answers, open, began, patience }
    }

    async fn run<E, Fut>(mut self, missing: Vec<Missing<I>>, watch: &Arc<Watch>) -> Result<HashMap<I, V>, E>
    where
        E: Send + 'static,
        S: Sharing<E>,
        U: Fn(&V) -> bool,
        F: FnMut(Vec<I>) -> Fut,
        Fut: Future<Output = Result<HashMap<I, V>, E>>,
    {
        self.start::<E>(missing, watch)?;
        loop {
            self.compute().await?;
            if let Some(leased) = self.open.leasing.pop() {
                self.wait_for_lease(leased).await?;
                self.give_up_leases().await?;
            } else if !self.open.turning.is_empty() {
                self.take_turns().await?;
            } else if self.open.waiting.is_empty() {
                return Ok(self.answers.take());
            } else {
                self.wait().await?;
            }
        }
    }

    /// Enters singleflight for what is missing.
    fn start<E>(&mut self, missing: Vec<Missing<I>>, watch: &Arc<Watch>) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
    {
        for Missing { item, key, hash, found, apart, stores, observer } in missing {
            let (terms, sharing) = ((self.policy, self.wanted), self.rules.sharing);
            let (at, told) = ((key, hash), (Traced::default(), observer));
            let request = Request::new(self.cache, terms, at, (sharing, stores), watch.clone(), told);
            let progress = Progress { began: Some(self.began), ..Progress::default() };
            let mut item = Item { item, request, progress };
            let step = match apart {
                true => Step::Compute(None, None),
                false => item.request.start(found, &mut item.progress),
            };
            self.advance::<E>(item, step)?;
        }
        Ok(())
    }

    /// Goes from step to step with one item until it has a value, or has to wait together with others.
    fn advance<E>(&mut self, mut item: Item<'a, I, C, S>, mut step: Step<V, E>) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
    {
        loop {
            step = match step {
                Step::Done(value) => {
                    self.answers.insert(item.item, value?);
                    return Ok(());
                }
                Step::Enter => item.request.enter(&mut item.progress),
                Step::Prolong(entry, freshness, tier) => {
                    self.open.prolonged.extend(item.request.prolonged::<V>(&entry));
                    Step::Done(Ok(item.request.give(&entry, freshness, tier)))
                }
                Step::Wait(waiter) => {
                    self.note_stale(&item);
                    self.open.waiting.push((item, waiter));
                    return Ok(());
                }
                Step::Turn => {
                    self.open.turning.push(item);
                    return Ok(());
                }
                Step::Read(leader, refreshed) => {
                    self.note_stale(&item);
                    self.open.reading.push((item, leader, refreshed));
                    return Ok(());
                }
                // Unlike a call for one key, only if it is said: each key has a lease of its own.
                Step::Lease(leader, refreshed) if self.policy.lock == Some(Lock::Deployment) => {
                    self.note_stale(&item);
                    self.open.leasing.push((item, leader, refreshed));
                    return Ok(());
                }
                Step::Lease(leader, refreshed) => Step::Compute(Some(leader), refreshed),
                Step::Compute(leader, refreshed) => {
                    let stale = refreshed.map(|(entry, _)| entry);
                    item.progress.stale = stale.or(item.progress.stale);
                    self.note_stale(&item);
                    self.open.computing.push((item, leader));
                    return Ok(());
                }
            };
        }
    }

    /// Remembers what may be served if the value does not come in time.
    fn note_stale(&self, item: &Item<'a, I, C, S>) {
        if let (Some(_), Some(stale)) = (self.policy.deadline, &item.progress.stale) {
            self.answers.note_stale(&item.item, stale);
        }
    }
}
