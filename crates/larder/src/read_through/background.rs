//! Computations that outlive their callers: the last step runs in a task of its own.

use std::{future::Future, panic, pin::Pin};

use tokio::{runtime::Handle, task::JoinError};
use tracing::Instrument;

use super::{
    call_deadline::Fallback,
    computation::Computation,
    lookup::{Missed, find_kept},
    request::{AnyKey, Request, Wanted},
    single::get_or_compute,
};
use crate::{
    cache::Cache,
    dependencies::{self, Frame},
    error_sharing::Sharing,
    outcome::{Observer, Tier},
    policy::Policy,
    registry::carry,
    singleflight::{InFlightIds, Watch},
    spans::Traced,
    value::LocalValue,
};

/// As [`get_or_compute`], with computations in tasks of their own: a caller that goes away, or is served a stale value,
/// leaves the computation to go on.
///
/// Outside of a tokio runtime there is nowhere to go on: the caller computes.
pub(crate) async fn get_or_compute_background<V, E, C, S, F, Fut>(
    (cache, key): (&C, impl AnyKey),
    missed: Missed,
    terms: (&Policy, Wanted),
    sharing: S,
    start: F,
) -> Result<V, E>
where
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    S: Sharing<E>,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<V, E>> + Send + 'static,
{
    let Ok(runtime) = Handle::try_current() else {
        return get_or_compute((cache, key), missed, terms, sharing, start).await;
    };
    if let Some(error) = find_kept(cache, &missed, sharing) {
        return Err(error);
    }
    let Some(request) = Request::open((cache, key), &missed, terms, sharing) else {
        return dependencies::bypass(async { start().await }).await;
    };
    let fallback = Fallback::default();
    let whole = request.start_and_wait(&runtime, missed, start, &fallback);
    request.by_deadline(whole, &fallback).await
}

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// Starts a task if there is something to compute, and waits for it unless there is an old value.
    async fn start_and_wait<V, E, F, Fut>(
        &self,
        runtime: &Handle,
        missed: Missed,
        start: F,
        fallback: &Fallback,
    ) -> Result<V, E>
    where
        V: LocalValue,
        E: Send + 'static,
        S: Sharing<E>,
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (nested_in, patience) = (dependencies::current_in_flight(), self.patience());
        let plan = self.plan(missed.into_value(), (fallback, patience));
        let plan = self.span.clone().wrap(self.watch.run(plan));
        let mut planned = match plan.await {
            Ok(planned) => planned,
            Err(result) => return result,
        };
        if let Some((entry, freshness)) = planned.refreshed.take() {
            let value = self.give(&entry, freshness, Tier::Memory);
            // No caller waits for it.
            let computation = self.begin(planned, Some(entry), InFlightIds::new());
            // It has its answer already.
            let task = self.task(computation, start, (Traced::default(), Observer::default()));
            runtime.spawn(carry(self.span.clone().wrap(task)).in_current_span());
            return Ok(value);
        }
        let stale = planned.take_stale();
        let computation = self.begin(planned, stale.clone(), nested_in.clone());
        // The computation is new, so that nothing can wait for this caller through it yet.
        let _wait = computation.leader.as_ref().map(|leader| leader.awaited_by(nested_in.clone()));
        // The task is in no computation of its own: what it reads is collected for the one that waits here.
        let collected = Frame::new(nested_in, self.core().begin(), false);
        let _passed_on = collected.pass_on();
        let task = collected.run(self.task(computation, start, (self.span.clone(), self.observer.clone())));
        let ended = runtime.spawn(carry(self.span.clone().wrap(task)).in_current_span());
        match self.unless_slow(ended, patience, stale.as_ref()).await {
            Ok(ended) => finish(ended),
            Err(value) => {
                // Callers who come while it goes on need not wait for it too.
                self.note_failure(stale.as_ref());
                Ok(value)
            }
        }
    }

    /// A computation as a task. What it is started with runs here and now, as a part of it.
    fn task<V, E, Fut>(
        &self,
        mut computation: Computation,
        start: impl FnOnce() -> Fut,
        (span, observer): (Traced, Observer),
    ) -> Pin<Box<dyn Future<Output = Result<V, E>> + Send>>
    where
        V: LocalValue,
        E: Send + 'static,
        S: Sharing<E>,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (cache, policy) = (self.cache.share(), self.policy.clone());
        let (key, hash, scopes) = (self.key.clone(), self.hash, self.scopes.clone());
        let (sharing, stores, wanted) = (self.sharing, self.stores, self.wanted);
        let started = computation.frame.enter(start);
        let watch = Watch::of_task(policy.takeover_after);
        if let Some(leader) = &mut computation.leader {
            leader.watched_by(&watch);
        }
        Box::pin(watch.clone().run(async move {
            let (cache, policy) = (&*cache, &policy);
            let request =
                Request { cache, policy, wanted, sharing, key, hash, scopes, stores, watch, span, observer };
            request.compute(computation, || started).await
        }))
    }
}

/// What a task came to; its panic is that of the caller who waits for it.
pub(super) fn finish<R>(ended: Result<R, JoinError>) -> R {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(computed) => computed,
        Err(Ok(panic)) => panic::resume_unwind(panic),
        Err(Err(_)) => panic!("the runtime is shutting down, and ended a computation of the cache"),
    }
}
