//! The one computation of a batch, and what becomes of its outcome.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Batch, Item};
use crate::{
    cache::Cache,
    dependencies::{self, Frame},
    error_sharing::Sharing,
    key,
    outcome::{NotStored, Tier},
    panic_guard,
    read_through::{lookup::read, made_entry::Ended, storing},
    scope::{Scope, ScopeHash},
    singleflight::{Failure, InFlightId, Leader, Outcome},
    spans::Traced,
    value::LocalValue,
};

/// The items of a computation, with the leads of those who wait for them.
type Computed<'a, I, C, S> = Vec<(Item<'a, I, C, S>, Option<Leader>)>;

/// Has one name stand for what a batch leads: what is computed in it waits for others as all of that does.
fn together(led: &[&Leader]) -> Option<InFlightId> {
    match led {
        [] => None,
        [one] => Some(one.id()),
        _ => {
            let batch = InFlightId::next();
            led.iter().for_each(|leader| leader.computed_in(batch));
            Some(batch)
        }
    }
}

impl<'a, I, V, C, F, S, U> Batch<'a, I, V, C, F, S, U>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    C: Cache + ?Sized,
    S: Copy,
{
    /// Reads what this batch leads, all at once, and computes what that leaves, all in one call. No other computation
    /// is waited for meanwhile, so that two batches that lead what the other one needs both go on.
    pub(super) async fn compute<E, Fut>(&mut self) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
        U: Fn(&V) -> bool,
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
        if !self.open.leasing.is_empty() {
            Box::pin(self.try_leases::<E>()).await?;
        }
        storing::rewrite(self.cache, &std::mem::take(&mut self.open.prolonged)).await;
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
        let led: Vec<_> = computing.iter().filter_map(|(_, leader)| leader.as_ref()).collect();
        let mut in_flight = dependencies::current_in_flight();
        in_flight.extend(together(&led));
        let has_turn = computing.iter().any(|(item, _)| item.progress.turn.is_some());
        let frame = Frame::of_request(in_flight, since, self.policy.detached, (None, has_turn));
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
        // Before all that ended: the rest of these succeeded.
        if computed.is_err() {
            core.count_in(group, |counters| &counters.failures);
        }
        core.computed(None, group, (took, computed.is_ok()));
        match computed {
            Ok(values) => {
                // Each of them has its share.
                let share = took / u32::try_from(computing.len()).unwrap_or(u32::MAX);
                self.store(values, computing, (&frame, share)).await;
                Ok(())
            }
            Err(error) => self.fail(error, computing, &frame),
        }
    }

    /// Takes what was stored in the meantime of what is about to be computed.
    fn take_new<E>(&mut self) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
    {
        if self.replaces {
            return Ok(());
        }
        for (item, leader) in std::mem::take(&mut self.open.computing) {
            match item.request.find_answer::<V, E>() {
                Some((answer, entry)) => {
                    let step = item.request.complete(leader, entry, answer, Tier::Memory);
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
        computed: Computed<'a, I, C, S>,
        (frame, took): (&Arc<Frame>, Duration),
    ) where
        U: Fn(&V) -> bool,
    {
        let core = self.cache.core();
        let mut ended = Ended { frame, decisions: frame.decisions(), replaces: self.replaces, took };
        let (no_store, unshared) = (ended.decisions.no_store, ended.decisions.unshared);
        let (mut wanted, mut completing, mut turns) = (Vec::new(), Vec::new(), Vec::new());
        for (Item { item, request, progress }, leader) in computed {
            turns.extend(progress.turn);
            core.pauses().clear(request.hash);
            request.observer.computed(None);
            let Some(value) = values.remove(&item) else {
                // There is no value to share: each of those who wait for this key asks for itself.
                request.not_stored(NotStored::NotFound);
                dependencies::record_absent(core.epochs(), &request.key);
                leader.into_iter().for_each(|leader| leader.complete(Outcome::Unshared, false));
                if progress.stale.is_some() || self.replaces && key::check(&request.key).is_ok() {
                    // One that is computed anew, and is gone at its source.
                    drop(self.cache.storage().apply(&[Scope::key(&*request.key)]));
                }
                continue;
            };
            if key::check(&request.key).is_err() {
                request.not_stored(NotStored::KeyRefused);
                self.answers.insert(item, value);
                continue;
            }
            ended.decisions.no_store = no_store || frame.enter(|| (self.rules.unstored)(&value));
            let entry_of = || frame.enter(|| request.entry_of(&value, &ended));
            let Some((entry, is_wanted)) = panic_guard::contain(entry_of) else {
                request.not_stored(NotStored::NotCloned);
                if self.replaces {
                    // What is there is older than what was made now.
                    core.replace(&[ScopeHash::key(&request.key)], drop);
                }
                leader.into_iter().for_each(|leader| leader.complete(Outcome::Unshared, false));
                self.answers.insert(item, value);
                continue;
            };
            dependencies::record(core.epochs(), &entry.0);
            let is_stored = request.is_stored(&entry, is_wanted, leader.as_ref());
            wanted.extend(is_stored.then(|| entry.clone()));
            let is_found = is_stored && request.is_shared() && !entry.0.is_unshared();
            let outcome = if unshared { Outcome::Unshared } else { Outcome::Value(entry) };
            completing.extend(leader.map(|leader| (leader, outcome, is_found)));
            self.answers.insert(item, value);
        }
        // In one go: where it takes a round trip, it takes one.
        storing::write(self.cache, &wanted).await;
        completing.into_iter().for_each(|(leader, outcome, is_found)| leader.complete(outcome, is_found));
        // Last: who is next looks for what is stored.
        drop(turns);
    }

    /// Completes a failed computation. The failure is the batch's, unless each item has a stale value that may be
    /// served in its place.
    fn fail<E>(&mut self, error: E, computed: Computed<'a, I, C, S>, frame: &Arc<Frame>) -> Result<(), E>
    where
        S: Sharing<E>,
    {
        let core = self.cache.core();
        let unshared = frame.decisions().unshared;
        // One whose `Clone`, `Display` or `source` panics cannot be shared.
        let given = panic_guard::contain(|| frame.enter(|| self.rules.sharing.give(&error))).flatten();
        let mut error = Some(error);
        let mut outcome = Ok(());
        for (Item { item, request, progress }, leader) in computed {
            request.observer.computed(None);
            request.note_failure(progress.stale.as_ref());
            let cover = Arc::new(frame.cover(request.scopes.clone(), core.epochs()));
            if let Some(leader) = leader {
                let failure = || Failure { error: given.clone(), cover: cover.clone() };
                let failed = if unshared { Outcome::Unshared } else { Outcome::Failure(failure()) };
                leader.complete(failed, false);
            }
            let served = progress.stale.and_then(|entry| request.serve_if_usable(&entry));
            request.not_stored(NotStored::Failed);
            match served {
                Some(value) => self.answers.insert(item, value),
                None => {
                    dependencies::record_dependencies(core.epochs(), &cover);
                    outcome = error.take().map_or(outcome, Err);
                }
            }
        }
        outcome
    }
}
