//! Calls code that is not larder's, where a panic of it must not go further.
//!
//! Everywhere else such a panic is its caller's, and larder is left as if the caller had been dropped there: no
//! lock is held while foreign code runs, and guards undo what was begun. Contained is what runs when there is
//! something to lose (a computed value, those who wait for it, an invalidation under way), or on a thread of
//! larder's own. The panic hook has reported a panic before it is contained.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    task::{Poll, Waker},
};

/// Calls it; none if it panicked.
pub(crate) fn contain<R>(call: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(call)).map_err(discard).ok()
}

/// Calls of which each is made, also if one before it panicked.
#[derive(Default)]
pub(crate) struct Contained(Option<Box<dyn Any + Send>>);

impl Contained {
    /// Calls it; none if it panicked.
    pub(crate) fn call<R>(&mut self, call: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(result) => Some(result),
            Err(panic) => {
                match self.0 {
                    None => self.0 = Some(panic),
                    Some(_) => discard(panic),
                }
                None
            }
        }
    }

    /// The first panic goes on, unless another one is under way: two end the process.
    pub(crate) fn resume(self) {
        match self.0 {
            Some(panic) if std::thread::panicking() => discard(panic),
            Some(panic) => resume_unwind(panic),
            None => {}
        }
    }
}

/// Polls a future to its end; none if it panicked.
pub(crate) async fn contain_future<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match contain(|| future.as_mut().poll(context)) {
        Some(Poll::Pending) => Poll::Pending,
        Some(Poll::Ready(output)) => Poll::Ready(Some(output)),
        None => Poll::Ready(None),
    })
    .await
}

/// What was thrown may panic again when it is dropped.
fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

/// Wakes all of them, also if one panics: it is not the fault of the others who wait.
pub(crate) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        let _ = contain(|| waker.wake());
    }
}

/// An event of `tracing`: `report!(warn, key, "…")`. A subscriber is foreign code that the caller of larder
/// has not asked for, and what is reported is done already.
macro_rules! report {
    ($level:ident, $($event:tt)+) => {{
        let _ = $crate::panic_guard::contain(|| tracing::$level!($($event)+));
    }};
}

pub(crate) use report;

#[cfg(test)]
pub(crate) mod tests {
    use tracing::{Event, Metadata, Subscriber, span};

    use super::*;

    /// Panics at all events.
    struct Hostile;

    impl Subscriber for Hostile {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

        fn event(&self, _: &Event<'_>) {
            TOLD.set(TOLD.get() + 1);
            panic!("on purpose, by the subscriber");
        }

        fn enter(&self, _: &span::Id) {}

        fn exit(&self, _: &span::Id) {}
    }

    thread_local! {
        static TOLD: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    /// With a subscriber of traces that panics at whatever it is told on this thread: how often that was.
    pub(crate) fn with_hostile_subscriber(call: impl FnOnce()) -> usize {
        TOLD.set(0);
        // While there is one alone, `tracing` asks the subscriber of the thread that comes upon a place first, which is another
        // test's and has none; and takes its answer for all threads.
        let _second = tracing::Dispatch::new(Hostile);
        tracing::subscriber::with_default(Hostile, call);
        TOLD.get()
    }

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose, when dropped");
        }
    }

    #[test]
    fn a_panic_and_what_it_throws_are_contained() {
        assert_eq!(contain(|| 1), Some(1));
        assert_eq!(contain(|| std::panic::panic_any(Bomb)), None::<()>);
    }

    #[test]
    fn all_are_called_and_the_first_panic_goes_on() {
        let mut contained = Contained::default();
        assert_eq!(contained.call(|| std::panic::panic_any(1)), None::<()>);
        assert_eq!(contained.call(|| std::panic::panic_any(Bomb)), None::<()>);
        assert_eq!(contained.call(|| 2), Some(2));
        let panic = catch_unwind(AssertUnwindSafe(|| contained.resume())).expect_err("it goes on");
        assert_eq!(panic.downcast_ref(), Some(&1));
        Contained::default().resume();
    }
}
