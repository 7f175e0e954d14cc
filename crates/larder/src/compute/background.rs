//! The form of a computation that outlives its caller.

use std::{future::Future, panic, pin::Pin};

use tokio::{
    runtime::Handle,
    task::{JoinError, JoinHandle},
};
use tracing::Instrument;

use super::{Call, Computation, Found, Turn, serve};
use crate::{
    cache::Cache,
    dependencies::{self, Frame},
    entry::{Entry, Freshness},
    error_sharing::Sharing,
    key,
    policy::Policy,
    singleflight::{Wait, Watch},
    value::Value,
};

/// As [`get_or_compute`](super::get_or_compute), with computations in tasks of their own: a caller who
/// goes away, or is served a stale value, leaves the computation to go on.
///
/// Outside of a tokio runtime there is nowhere to go on: the caller computes.
pub(crate) async fn get_or_compute_background<V, E, C, S, F, Fut>(
    (cache, key): (&C, &str),
    found: Found,
    policy: &Policy,
    sharing: S,
    start: F,
) -> Result<V, E>
where
    V: Value,
    E: Send + 'static,
    C: Cache + ?Sized,
    S: Sharing<E>,
    F: FnOnce() -> Fut + Send,
    Fut: Future<Output = Result<V, E>> + Send + 'static,
{
    let Ok(runtime) = Handle::try_current() else {
        return super::get_or_compute((cache, key), found, policy, sharing, start).await;
    };
    let core = cache.core();
    if key::check(key).is_err() {
        core.count(|counters| &counters.refused_keys);
        return dependencies::bypass(async { start().await }).await;
    }
    let watch = Watch::new(policy.takeover_after);
    let call = Call { cache, at: core.lookup(key), policy, sharing, stores: found.stores, watch };
    let nested_in = dependencies::current_in_flight();
    let mut stale = None;
    let turn = call.watch.run(call.turn::<V, E>(found.entry, &mut stale)).await;
    let computation = match turn {
        Turn::Done(result) => return result,
        Turn::Refresh(lead, entry, freshness) => {
            let value = serve(core, &entry, freshness);
            // Nobody waits for it.
            let computation = call.begin(Some(lead), Some(entry), []);
            runtime.spawn(call.task(computation, start).in_current_span());
            return Ok(value);
        }
        Turn::Leader(lead) => call.begin(Some(lead), stale.clone(), nested_in.clone()),
        Turn::Alone => call.begin(None, stale.clone(), nested_in.clone()),
    };
    // The computation is new, so that nothing can wait for this caller through it yet.
    let _wait = computation.lead.as_ref().map(|lead| Wait::begin(nested_in.clone(), lead.id()));
    // The task is in no computation of its own: what it reads is collected for the one that waits here.
    let collected = Frame::new(nested_in, core.begin(), false);
    let _passed_on = collected.pass_on();
    let task = collected.run(call.task(computation, start));
    call.await_task(runtime.spawn(task.in_current_span()), stale).await
}

impl<C: Cache + ?Sized, S: Copy> Call<'_, C, S> {
    /// A computation as a task. What it is started with runs here and now, as a part of it.
    fn task<V, E, Fut>(
        &self,
        mut computation: Computation,
        start: impl FnOnce() -> Fut,
    ) -> Pin<Box<dyn Future<Output = Result<V, E>> + Send>>
    where
        V: Value,
        E: Send + 'static,
        S: Sharing<E>,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (cache, policy) = (self.cache.share(), self.policy.clone());
        let (sharing, stores) = (self.sharing, self.stores);
        let key = self.at.key.to_owned();
        let started = computation.frame.enter(start);
        let watch = Watch::of_task(policy.takeover_after);
        if let Some(lead) = &mut computation.lead {
            lead.watched_by(&watch);
        }
        Box::pin(watch.clone().run(async move {
            let at = cache.core().lookup(&key);
            let call = Call { cache: &*cache, at, policy: &policy, sharing, stores, watch };
            call.compute(computation, || started).await
        }))
    }

    /// Waits for a task, or for as long as the policy says if there is a stale value to serve.
    async fn await_task<V: Value, E>(
        &self,
        mut task: JoinHandle<Result<V, E>>,
        stale: Option<Entry>,
    ) -> Result<V, E> {
        if let (Some(limit), Some(entry)) = (self.policy.timeout, stale) {
            match tokio::time::timeout(limit, &mut task).await {
                Ok(ended) => return finish(ended),
                Err(_) if self.is_servable(&entry) => {
                    return Ok(serve(self.core(), &entry, Freshness::StaleIfError));
                }
                Err(_) => {}
            }
        }
        finish(task.await)
    }
}

/// What a task came to; its panic is the caller's who waits for it.
fn finish<R>(ended: Result<R, JoinError>) -> R {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(computed) => computed,
        Err(Ok(panic)) => panic::resume_unwind(panic),
        Err(Err(_)) => panic!("the runtime is shutting down, and ended a computation of the cache"),
    }
}
