//! Calls that go without the cache, and reads that do not count.

use std::{future::Future, sync::Arc};

use super::{Frame, ScopeState, current};
use crate::sync::lock;

/// Runs a future that goes without the cache, inside of a computation or not. What it reads counts for that
/// computation; what it decides about an entry of its own, which there is not, does not.
pub async fn bypass<F: Future>(future: F) -> F::Output {
    let Some(frame) = bypassing() else { return future.await };
    let _passed_on = frame.pass_on();
    frame.run(future).await
}

/// The same for a function.
pub fn bypass_blocking<R>(call: impl FnOnce() -> R) -> R {
    let Some(frame) = bypassing() else { return call() };
    let _passed_on = frame.pass_on();
    frame.enter(call)
}

/// A frame for what goes without the cache inside of the current computation.
fn bypassing() -> Option<Arc<Frame>> {
    let outer = current()?;
    let frame = Frame::new(outer.in_flight.clone(), outer.since, !outer.records);
    let (reads, marked, since) = {
        let outer = lock(&outer.state);
        (outer.reads.clone(), outer.marked, outer.since)
    };
    *lock(&frame.state) = ScopeState { reads, marked, since, ..ScopeState::default() };
    Some(frame)
}

/// Runs a future as a part of the current computation whose reads do not count for it.
pub async fn unrecorded<F: Future>(future: F) -> F::Output {
    let Some(outer) = current() else { return future.await };
    Frame::new(outer.in_flight.clone(), outer.since, true).run(future).await
}
