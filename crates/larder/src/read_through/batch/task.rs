//! Batches that outlive their callers.

use std::{collections::HashMap, future::Future, hash::Hash};

use tokio::runtime::Handle;
use tracing::Instrument;

use super::{
    Batch,
    answers::Late,
    compute_many,
    in_transaction::compute_in_transaction,
    items::{Asked, Rules},
    look_up, span,
};
use crate::{
    cache::Cache,
    deferred,
    dependencies::{self, Frame},
    error_sharing::Sharing,
    policy::Policy,
    read_through::{background::finish, request::Wanted},
    registry::carry,
    singleflight::Watch,
    value::LocalValue,
};

/// As [`compute_many`]: a batch for which memory has not all goes on in a
/// task of its own, when its caller goes away too. `start` makes the computation, which is done only then.
///
/// Outside of a tokio runtime there is nowhere to go on: the caller computes.
pub(crate) async fn compute_many_background<I, V, E, C, F, Fut, S, U>(
    cache: &C,
    asked: Vec<Asked<I>>,
    (policy, wanted): (&Policy, Wanted),
    rules: Rules<S, U>,
    (start, replaces): (impl FnOnce() -> F, bool),
) -> Result<HashMap<I, V>, E>
where
    I: Clone + Eq + Hash + Send + 'static,
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    S: Sharing<E>,
    U: Fn(&V) -> bool + Send + 'static,
    F: FnMut(Vec<I>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<HashMap<I, V>, E>> + Send + 'static,
{
    let Ok(runtime) = Handle::try_current() else {
        return compute_many(cache, asked, (policy, wanted), rules, (start(), replaces)).await;
    };
    if !replaces && deferred::is_current() {
        return compute_in_transaction(cache, asked, start()).await;
    }
    let wanted = wanted.within(cache);
    let span = span(cache, wanted, asked.len());
    let (answers, missing) = look_up::<I, V, C>(cache, asked, wanted, replaces);
    if missing.is_empty() {
        return Ok(answers.take());
    }
    let (late, sharing) = (Late::of(policy, &missing), rules.sharing);
    // The task is in no computation of its own: what it reads is collected for the one that waits here.
    let collected = Frame::new(dependencies::current_in_flight(), cache.core().begin(), false);
    let _passed_on = collected.pass_on();
    let (shared, owned, compute) = (cache.share(), policy.clone(), start());
    let watch = Watch::of_task(policy.takeover_after);
    let known = answers.clone();
    let task = collected.run(watch.clone().run(async move {
        let batch = Batch::new((&*shared, &owned, wanted), rules, (compute, replaces), known);
        batch.run(missing, &watch).await
    }));
    let task = runtime.spawn(carry(span.wrap(task)).in_current_span());
    let ended = async { finish(task.await) };
    late.by_deadline((cache, policy), sharing, &answers, ended).await
}
