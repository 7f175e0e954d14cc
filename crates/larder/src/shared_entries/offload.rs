//! What takes time, apart from the threads that serve futures.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use crate::{
    alarm,
    sync::plain::{Mutex, lock},
};

/// Messages above this size are encoded and decoded where they hold up no other call.
pub(crate) const LARGE: usize = 64 << 10;

/// A runtime whose threads for what takes time are all taken has so long to begin.
const PATIENCE: Duration = Duration::from_millis(50);

/// Runs what takes time on a thread that may; here, if there is no runtime, or all such threads are taken for long: by
/// callers that wait for this, perhaps.
pub(crate) async fn offload<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let Ok(runtime) = Handle::try_current() else { return run() };
    let work = Arc::new(Mutex::new(Some(run)));
    let shared = work.clone();
    let mut task = runtime.spawn_blocking(move || take(&shared).map(|run| run()));
    let mut ended = alarm::within(PATIENCE, &mut task).await;
    if ended.is_none() {
        if let Some(run) = take(&work) {
            task.abort();
            return run();
        }
        ended = Some(task.await);
    }
    match ended {
        Some(Ok(Some(ran))) => ran,
        Some(Err(ended)) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        // The runtime is shutting down, and did not begin.
        _ => match take(&work) {
            Some(run) => run(),
            None => panic!("the runtime is shutting down, and ended a conversion of the cache"),
        },
    }
}

/// Not in a `match`, which would hold the lock while it runs.
fn take<F>(work: &Mutex<Option<F>>) -> Option<F> {
    lock(work).take()
}

/// Runs what needs more stack than a thread of a runtime has; none if there is no memory for that.
pub(crate) fn on_large_stack<R: Send>(run: impl FnOnce() -> R + Send) -> Option<R> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(crate::wire::Limits::STACK)
            .spawn_scoped(scope, run)
            .ok()?;
        Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;
    use crate::block_on::block_on;

    /// One that waits for this on the only thread that could run it.
    #[test]
    fn it_needs_no_thread_that_is_taken() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let handle = runtime.handle().clone();
        let there = runtime.spawn_blocking(move || handle.block_on(offload(|| 1)));
        let limit = Duration::from_secs(20);
        let ran = runtime.block_on(async { tokio::time::timeout(limit, there).await });
        // Otherwise its end would be waited for.
        runtime.shutdown_background();
        assert_eq!(ran.expect("it waits for itself").unwrap(), 1);
    }

    #[test]
    fn it_needs_no_runtime() {
        assert_eq!(block_on(offload(|| 1)), 1);
    }

    #[tokio::test]
    #[should_panic(expected = "on purpose")]
    async fn a_panic_is_its_callers() {
        offload(|| panic!("on purpose")).await
    }
}
