//! The form of a computation that outlives its caller.

use std::{future::Future, panic};

use tokio::{runtime::Handle, task::JoinHandle};
use tracing::Instrument;

use super::{Call, Found, Trace, Turn, serve};
use crate::{
    cache::Cache,
    dependencies,
    entry::{Entry, Phase},
    failure::Sharing,
    flight::{Lead, Wait},
    key,
    policy::Policy,
    typed::Value,
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
        return start().await;
    }
    let call = Call { cache, at: core.lookup(key), policy, sharing, stores: found.stores };
    let mut stale = None;
    match call.attend::<V, E>(found.entry, &mut stale).await {
        Turn::Done(result) => result,
        Turn::Refresh(lead, entry, phase) => {
            core.count(|counters| &counters.refreshes);
            let value = serve(core, &entry, phase);
            call.spawn(&runtime, Some(lead), Some(entry), start());
            Ok(value)
        }
        Turn::Lead(lead) => {
            // The flight is new, so that nothing can wait for this caller through it yet.
            let _wait = Wait::begin(dependencies::current_flights(), lead.id());
            let task = call.spawn(&runtime, Some(lead), stale.clone(), start());
            call.await_task(task, stale).await
        }
        Turn::Alone => {
            let task = call.spawn(&runtime, None, stale.clone(), start());
            call.await_task(task, stale).await
        }
    }
}

impl<C: Cache + ?Sized, S: Copy> Call<'_, C, S> {
    fn spawn<V, E, Fut>(
        &self,
        runtime: &Handle,
        lead: Option<Lead>,
        stale: Option<Entry>,
        computation: Fut,
    ) -> JoinHandle<(Result<V, E>, Trace)>
    where
        V: Value,
        E: Send + 'static,
        S: Sharing<E>,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
    {
        let (cache, policy) = (self.cache.share(), self.policy.clone());
        let (sharing, stores) = (self.sharing, self.stores);
        let key = self.at.key.to_owned();
        // A task is in no computation. Whoever waits for a flight's task has put that on record; with no
        // flight to name, the computation itself has to know whose wait it would close into a cycle.
        let nested_in = dependencies::current_flights();
        let task = async move {
            let at = cache.core().lookup(&key);
            let call = Call { cache: &*cache, at, policy: &policy, sharing, stores };
            match lead {
                Some(lead) => call.lead(lead, stale, || computation).await,
                None => call.alone(nested_in, stale, || computation).await,
            }
        };
        runtime.spawn(task.in_current_span())
    }

    /// Waits for a task, or for as long as the policy says if there is a stale value to serve.
    async fn await_task<V: Value, E>(
        &self,
        mut task: JoinHandle<(Result<V, E>, Trace)>,
        stale: Option<Entry>,
    ) -> Result<V, E> {
        let core = self.cache.core();
        if let (Some(limit), Some(entry)) = (self.policy.timeout, stale) {
            match tokio::time::timeout(limit, &mut task).await {
                Ok(ended) => return finish(core, ended),
                Err(_) if self.is_servable(&entry) => return Ok(serve(core, &entry, Phase::OnError)),
                Err(_) => {}
            }
        }
        finish(core, task.await)
    }
}

/// What a task came to; its panic is the caller's who waits for it.
fn finish<V, E>(
    core: &crate::Core,
    joined: Result<(Result<V, E>, Trace), tokio::task::JoinError>,
) -> Result<V, E> {
    match joined {
        Ok((computed, trace)) => {
            trace.record(core);
            computed
        }
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(_) => panic!("the runtime is shutting down, and ended a computation of the cache"),
        },
    }
}
