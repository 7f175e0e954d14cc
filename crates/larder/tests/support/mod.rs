//! What several of these tests need.
#![allow(dead_code, unused_imports, unused_macros, reason = "no test needs all of it")]

pub(crate) mod dashboard;
pub(crate) mod lab;
#[cfg(feature = "redis")]
pub(crate) mod processes;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larder::Policy;
use tokio::sync::Semaphore;

/// A handle to a cache around a `MemoryCache`, its first field, that is a `Storage` of its own.
macro_rules! cache_around_memory {
    ($cache:ty) => {
        impl larder::Cache for $cache {
            fn core(&self) -> &larder::Core {
                self.0.core()
            }

            fn storage(&self) -> &dyn larder::Storage {
                self
            }

            fn share(&self) -> std::sync::Arc<dyn larder::Cache> {
                std::sync::Arc::new(self.clone())
            }
        }
    };
}
pub(crate) use cache_around_memory;

/// Longer than anything here takes, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// Fails instead of hanging.
pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("it hangs")
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    eventually_from(caller, condition)
}

async fn eventually_from(caller: &std::panic::Location<'_>, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "the condition at {caller} never came true");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A policy that outlives every test.
pub(crate) fn long() -> Policy {
    Policy::ttl(Duration::from_secs(3_600))
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Something that a computation waits for, and that counts who came.
#[derive(Clone)]
pub(crate) struct Gate(Arc<(Semaphore, AtomicUsize)>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new((Semaphore::new(0), AtomicUsize::new(0))))
    }

    pub(crate) fn open(&self) {
        self.0.0.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    pub(crate) async fn pass(&self) {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        self.0.0.acquire().await.expect("a gate is never taken down").forget();
    }

    /// How many came to this gate.
    pub(crate) fn came(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    /// Waits until so many came.
    pub(crate) async fn until(&self, count: usize) {
        eventually(|| self.came() >= count).await;
    }
}

/// Counts calls.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// The number of this call, from 1.
    pub(crate) fn call(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn made(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
