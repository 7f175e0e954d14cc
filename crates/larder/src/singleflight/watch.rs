//! Whether a computation is abandoned: woken, and then not polled.
//!
//! A future makes progress only while its owner polls it. One that was polled once may be kept without being
//! polled again: the loser of a `select!` that is not dropped, what is in a `buffered` stream while the loop's
//! body runs, a task of a runtime that is not driven. Those who wait for its outcome would wait for ever. That it
//! waits for something itself is no sign of that, that it was woken and nothing came of it is one.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use pin_project_lite::pin_project;

use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// It waits for a wake-up.
const WAITING: u64 = 0;
/// It is being polled.
const POLLED: u64 = 1;
/// It is being polled, and was woken meanwhile.
const POLLED_WOKEN: u64 = 2;
/// From here on: it was woken at this moment, and not polled since.
const WOKEN: u64 = 3;

/// When a computation was woken and polled.
pub(crate) struct Watch {
    /// One of the constants above, or a moment.
    state: AtomicU64,
    /// What wakes its owner, until it is woken.
    owner: Mutex<Option<Waker>>,
    /// In milliseconds.
    limit: u64,
}

impl Watch {
    /// Of what is being polled. It is abandoned when it was woken and not polled for `limit`.
    pub(crate) fn new(limit: Duration) -> Arc<Self> {
        Self::with(limit, POLLED)
    }

    /// Of a task that is about to be spawned: woken, so to speak, for the first time.
    pub(crate) fn of_task(limit: Duration) -> Arc<Self> {
        Self::with(limit, now())
    }

    fn with(limit: Duration, state: u64) -> Arc<Self> {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        Arc::new(Self { state: AtomicU64::new(state), owner: Mutex::new(None), limit })
    }

    /// Whether it was woken, and not polled for as long as the limit says.
    pub(crate) fn is_abandoned(&self) -> bool {
        let state = self.state.load(Ordering::Acquire);
        state >= WOKEN && now().saturating_sub(state) >= self.limit
    }

    /// Runs a future under this watch.
    pub(crate) fn run<F: Future>(self: &Arc<Self>, future: F) -> WatchedFuture<F> {
        WatchedFuture { waker: Waker::from(self.clone()), watch: self.clone(), future }
    }

    /// What it watches is busy, as if it were polled, until the guard is dropped.
    pub(crate) fn busy(&self) -> Polling<'_> {
        self.state.store(POLLED, Ordering::Release);
        Polling(self)
    }

    fn begin_poll(&self, owner: &Waker) {
        self.state.store(POLLED, Ordering::Release);
        let is_known = lock(&self.owner).as_ref().is_some_and(|known| known.will_wake(owner));
        if !is_known {
            // A waker's own `clone` and `drop` are not to be called under a lock.
            let owner = Some(owner.clone());
            let before = std::mem::replace(&mut *lock(&self.owner), owner);
            drop(before);
        }
    }

    fn end_poll(&self) {
        let ended = self.state.compare_exchange(POLLED, WAITING, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if !ended {
            self.state.store(now(), Ordering::Release);
        }
    }

    fn note_wake(&self) {
        let next = |state| match state {
            WAITING => Some(now()),
            POLLED => Some(POLLED_WOKEN),
            _ => None,
        };
        let _ = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }
}

/// Milliseconds of a clock that no test turns, from [`WOKEN`] on.
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).map_or(u64::MAX, |elapsed| elapsed.saturating_add(WOKEN))
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // First: the owner may poll it at once, on another thread.
        self.note_wake();
        // What is woken twice is polled once: the next poll puts it back.
        let owner = lock(&self.owner).take();
        if let Some(owner) = owner {
            owner.wake();
        }
    }
}

pin_project! {
    /// A future under a [`Watch`].
    #[must_use = "futures do nothing unless polled"]
    pub(crate) struct WatchedFuture<F> {
        watch: Arc<Watch>,
        // Wakes the owner, and notes that it did.
        waker: Waker,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for WatchedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.watch.begin_poll(context.waker());
        let _polling = Polling(this.watch);
        this.future.poll(&mut Context::from_waker(this.waker))
    }
}

/// One poll, also if it panics.
pub(crate) struct Polling<'a>(&'a Watch);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.end_poll();
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::{future::poll_fn, pin::pin, thread};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    /// A future that gives its waker away, and is never ready.
    #[expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]
    fn polled_once(watch: &Arc<Watch>) -> (Pin<Box<dyn Future<Output = ()>>>, Waker) {
        let waker = Arc::new(std::sync::Mutex::new(None));
        let given = waker.clone();
        let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(watch.run(poll_fn(move |context| {
            *given.lock().unwrap() = Some(context.waker().clone());
            Poll::Pending
        })));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let waker = waker.lock().unwrap().take().unwrap();
        (future, waker)
    }

    #[test]
    fn what_waits_is_not_abandoned() {
        let watch = Watch::new(SHORT);
        let (_future, _waker) = polled_once(&watch);
        thread::sleep(SHORT * 2);
        assert!(!watch.is_abandoned());
    }

    #[test]
    fn what_was_woken_is_abandoned_until_it_is_polled() {
        let watch = Watch::new(SHORT);
        let (mut future, waker) = polled_once(&watch);
        waker.wake_by_ref();
        assert!(!watch.is_abandoned());
        thread::sleep(SHORT * 2);
        assert!(watch.is_abandoned());
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        thread::sleep(SHORT * 2);
        assert!(!watch.is_abandoned());
    }

    #[test]
    fn a_long_poll_is_no_neglect() {
        let watch = Watch::new(SHORT);
        let judge = watch.clone();
        let mut blocking = pin!(watch.run(poll_fn(|context| {
            context.waker().wake_by_ref();
            thread::sleep(SHORT * 2);
            assert!(!judge.is_abandoned());
            Poll::<()>::Pending
        })));
        assert!(blocking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(!watch.is_abandoned());
        thread::sleep(SHORT * 2);
        assert!(watch.is_abandoned(), "what woke it meanwhile is remembered");
    }

    /// A thread that computes may have been woken, by what it waited for before.
    #[test]
    fn what_is_busy_is_not_abandoned_though_it_is_woken() {
        for woken_before in [true, false] {
            let watch = Watch::new(SHORT);
            let (_future, waker) = polled_once(&watch);
            if woken_before {
                waker.wake_by_ref();
            }
            let busy = watch.busy();
            waker.wake_by_ref();
            thread::sleep(SHORT * 2);
            assert!(!watch.is_abandoned());
            drop(busy);
            assert!(!watch.is_abandoned(), "the limit begins now");
        }
    }

    #[test]
    fn a_task_that_is_never_polled_is_abandoned() {
        let watch = Watch::of_task(SHORT);
        thread::sleep(SHORT * 2);
        assert!(watch.is_abandoned());
    }

    #[test]
    fn a_wake_reaches_the_owner_of_the_last_poll() {
        struct Flag(std::sync::atomic::AtomicBool);
        impl Wake for Flag {
            fn wake(self: Arc<Self>) {
                self.0.store(true, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let watch = Watch::new(Duration::MAX);
        let (mut future, waker) = polled_once(&watch);
        let flag = Arc::new(Flag(false.into()));
        let owner = Waker::from(flag.clone());
        assert!(future.as_mut().poll(&mut Context::from_waker(&owner)).is_pending());
        waker.wake();
        assert!(flag.0.load(std::sync::atomic::Ordering::SeqCst));
        assert!(!watch.is_abandoned(), "there is no limit");
    }
}
