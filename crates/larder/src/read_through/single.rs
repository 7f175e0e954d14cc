//! One key: its steps one after the other, and its computation in its caller.

use std::{future::Future, pin::pin};

use super::{
    call_deadline::Fallback,
    computation::Planned,
    lookup::{Missed, find_kept, read_one},
    patience::Patience,
    request::{AnyKey, Request, Step, Wanted},
    steps::Progress,
    storing::rewrite,
};
use crate::{
    cache::Cache,
    dependencies,
    entry::{Entry, Freshness},
    error_sharing::Sharing,
    outcome::Tier,
    policy::Policy,
    value::LocalValue,
};

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// Goes from step to step until there is something to compute; a result that comes first is the `Err`.
    pub(super) async fn plan<V, E>(
        &self,
        found: Option<(Entry, Freshness)>,
        (fallback, patience): (&Fallback, Patience),
    ) -> Result<Planned, Result<V, E>>
    where
        V: LocalValue,
        S: Sharing<E>,
    {
        let mut progress = Progress::default();
        let mut step = self.start::<V, E>(found, &mut progress);
        loop {
            fallback.note(progress.stale.as_ref());
            step = match step {
                Step::Enter => self.enter::<V, E>(&mut progress),
                Step::Prolong(entry, freshness, tier) => {
                    if let Some(entry) = self.prolonged::<V>(&entry) {
                        rewrite(self.cache, std::slice::from_ref(&entry)).await;
                    }
                    Step::Done(Ok(self.give(&entry, freshness, tier)))
                }
                // What most calls never come to is in a box: each call would have to have room for it.
                Step::Wait(waiter) => Box::pin(self.wait(waiter, patience, &progress)).await,
                Step::Turn => Box::pin(self.turn(&mut progress)).await,
                Step::Read(leader, refreshed) => {
                    let found = read_one::<V>(self.cache, self.at(), self.wanted.of).await;
                    self.after_read(leader, refreshed, found, &mut progress)
                }
                Step::Lease(leader, refreshed) => {
                    Box::pin(self.lease(leader, refreshed, &mut progress, (true, patience))).await
                }
                Step::Compute(leader, refreshed) => {
                    fallback.note(refreshed.as_ref().map(|(entry, _)| entry));
                    // Later than singleflight's own, which may have waited for other processes: what was changed
                    // meanwhile is read from here on. And before the look: what was put in place as a part of a change
                    // before this is found, and what is put there later is no older than the outcome.
                    let since = self.core().begin();
                    match self.find_answer() {
                        Some((answer, entry)) => self.complete(leader, entry, answer, Tier::Memory),
                        None => {
                            let Progress { stale, turn, .. } = progress;
                            return Ok(Planned { leader, since, refreshed, stale, turn });
                        }
                    }
                }
                Step::Done(result) => return Err(result),
            };
        }
    }
}

/// The value under a full key that a lookup `missed`: from a computation under way, from other processes, or
/// computed by `compute`.
pub(crate) async fn get_or_compute<V, E, C, S, F, Fut>(
    (cache, key): (&C, impl AnyKey),
    missed: Missed,
    terms: (&Policy, Wanted),
    sharing: S,
    compute: F,
) -> Result<V, E>
where
    V: LocalValue,
    C: Cache + ?Sized,
    S: Sharing<E>,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<V, E>>,
{
    if let Some(error) = find_kept(cache, &missed, sharing) {
        return Err(error);
    }
    let Some(request) = Request::open((cache, key), &missed, terms, sharing) else {
        return Box::pin(dependencies::bypass(async { compute().await })).await;
    };
    let (nested_in, fallback) = (dependencies::current_in_flight(), Fallback::default());
    // Pinned where it is: what it is wrapped in would be as large once more, each time.
    let whole = pin!(async {
        let plan = request.plan(missed.into_value(), (&fallback, request.patience()));
        let mut planned = match plan.await {
            Ok(planned) => planned,
            Err(result) => return result,
        };
        let stale = planned.take_stale();
        request.compute(request.begin(planned, stale, nested_in), compute).await
    });
    let whole = request.span.clone().wrap(request.watch.run(whole));
    request.by_deadline(whole, &fallback).await
}

/// Computes now, whatever the cache has, and replaces that. No other caller joins.
pub(crate) async fn refresh<V, E, C, S, F, Fut>(
    (cache, key): (&C, impl AnyKey),
    missed: Missed,
    terms: (&Policy, Wanted),
    sharing: S,
    compute: F,
) -> Result<V, E>
where
    V: LocalValue,
    C: Cache + ?Sized,
    S: Sharing<E>,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<V, E>>,
{
    let Some(request) = Request::open((cache, key), &missed, terms, sharing) else {
        return Box::pin(dependencies::bypass(async { compute().await })).await;
    };
    request.span.clone().wrap(request.compute(request.replacing(), compute)).await
}
