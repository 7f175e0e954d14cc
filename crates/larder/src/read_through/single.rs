//! One key: its steps one after the other, and its computation in its caller.

use std::future::Future;

use super::{
    computation::Computation,
    lookup::{Missed, read_one},
    request::{Refreshed, Request, Step, Wanted},
    steps::Progress,
};
use crate::{
    cache::Cache,
    dependencies::{self, Frame},
    entry::{Entry, Freshness},
    error_sharing::{Sharing, Unshared},
    policy::Policy,
    singleflight::Leader,
    turns::Turn,
    value::LocalValue,
};

/// What a request comes to that has no value yet: a computation, for the leader of those who wait or for this caller
/// alone.
pub(super) struct Planned {
    pub(super) leader: Option<Leader>,
    pub(super) refreshed: Refreshed,
    /// What may be served if the computation fails, or is slow.
    pub(super) stale: Option<Entry>,
    pub(super) turn: Option<Turn>,
}

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// Goes from step to step until there is something to compute; a result that comes first is the `Err`.
    pub(super) async fn plan<V, E>(&self, found: Option<(Entry, Freshness)>) -> Result<Planned, Result<V, E>>
    where
        V: LocalValue,
        S: Sharing<E>,
    {
        let mut progress = Progress::default();
        let mut step = self.start::<V, E>(found, &mut progress);
        loop {
            step = match step {
                Step::Enter => self.enter::<V, E>(&mut progress),
                Step::Wait(waiter) => self.wait(waiter, self.patience(), &progress).await,
                Step::Turn => self.turn(&mut progress).await,
                Step::Read(leader, refreshed) => {
                    let found = read_one::<V>(self.cache, self.at(), self.wanted.of).await;
                    self.after_read(leader, refreshed, found, &mut progress)
                }
                Step::Lease(leader, refreshed) => self.lease(leader, refreshed, &mut progress).await,
                Step::Compute(leader, refreshed) => {
                    let Progress { stale, turn, .. } = progress;
                    return Ok(Planned { leader, refreshed, stale, turn });
                }
                Step::Done(result) => return Err(result),
            };
        }
    }
}

/// The value under a full key that a lookup `missed`: from a computation under way, from other processes, or
/// computed by `compute`.
pub(crate) async fn get_or_compute<V, E, C, S, F, Fut>(
    (cache, key): (&C, &str),
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
        return dependencies::bypass(async { compute().await }).await;
    };
    let nested_in = dependencies::current_in_flight();
    let whole = async {
        let Planned { leader, refreshed, stale, turn } = match request.plan(missed.entry).await {
            Ok(planned) => planned,
            Err(result) => return result,
        };
        let stale = refreshed.map(|(entry, _)| entry).or(stale);
        request.compute(request.begin(leader, stale, turn, nested_in), compute).await
    };
    request.span.clone().wrap(request.watch.run(whole)).await
}

/// Computes now, whatever the cache has, and replaces that. No other caller joins.
pub(crate) async fn refresh<V, E, C, F, Fut>(
    (cache, key): (&C, &str),
    missed: Missed,
    terms: (&Policy, Wanted),
    compute: F,
) -> Result<V, E>
where
    V: LocalValue,
    C: Cache + ?Sized,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<V, E>>,
{
    let Some(request) = Request::open((cache, key), &missed, terms, Unshared) else {
        return dependencies::bypass(async { compute().await }).await;
    };
    let frame = Frame::new(dependencies::current_in_flight(), cache.core().begin(), terms.0.detached);
    let span = request.computing();
    let computation = Computation { frame, leader: None, stale: None, turn: None, replaces: true, span };
    request.span.clone().wrap(request.compute(computation, compute)).await
}
