//! Values that must not be dropped where they are.
//!
//! A value's `Drop` is its author's code: it may call the cache that it lay in, and it may panic. A store drops what it
//! no longer keeps while it holds its locks, or whenever it next reclaims memory, in any call of any thread. So whatever
//! would be dropped there is put aside, and dropped at the end of the next call, of whichever cache, under no lock.
//! The table of entries hands back what it no longer keeps: that is dropped at once, unless the call was made by a
//! value's `Drop` itself. And while changes are held up, no value is dropped on that thread at all ([`hold_up`]).

use std::{
    cell::Cell,
    mem,
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};

use crate::{
    key::kept::KeptKey,
    panic_guard,
    sync::plain::{Mutex, lock},
    value::AnyValue,
};

/// How often one call looks for more: what is dropped may store values, in whose place others go.
const ROUNDS: usize = 64;

/// Values, with the keys that they lay under.
static ASIDE: Mutex<Vec<(KeptKey, Box<AnyValue>)>> = Mutex::new(Vec::new());

/// How many lie there, so that most calls need not take the lock.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Has a value dropped later.
pub(crate) fn put_aside(key: KeptKey, value: Box<AnyValue>) {
    let mut aside = lock(&ASIDE);
    aside.push((key, value));
    WAITING.store(aside.len(), Ordering::Release);
}

/// Runs a step under larder's locks: a value of which it turns out to be the last owner is put aside.
pub(crate) fn hold_up<R>(step: impl FnOnce() -> R) -> R {
    let _dropping = DropDeferred;
    let _held = Held { outer: HELD_UP.replace(true) };
    step()
}

/// Ends with the step, whatever becomes of it.
struct Held {
    outer: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD_UP.set(self.outer);
    }
}

/// Drops the value of an entry, or puts it aside if this thread holds up changes.
pub(crate) fn drop_value(key: &KeptKey, value: Box<AnyValue>) {
    if HELD_UP.get() {
        put_aside(key.clone(), value);
    } else if panic_guard::contain(|| drop(value)).is_none() {
        panic_guard::report!(warn, key = &**key, "the `Drop` of a cached value panicked");
    }
}

/// Wakes a task, whose waker is its executor's code: now, or later if this thread holds up changes.
pub(crate) fn wake(waker: Waker) {
    match HELD_UP.get() {
        true => wake_later(waker),
        false => panic_guard::wake_all([waker]),
    }
}

/// Wakes a task later, where a store may hold locks.
pub(crate) fn wake_later(waker: Waker) {
    put_aside("".into(), Box::new(WakeOnDrop(Some(waker))));
}

struct WakeOnDrop(Option<Waker>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        panic_guard::wake_all(self.0.take());
    }
}

/// Drops a value where no lock is held: now; or later, if one is being dropped on this thread: they would nest without end.
pub(crate) fn drop_one(key: &KeptKey, value: Box<AnyValue>) {
    if HELD_UP.get() || BUSY.replace(true) {
        put_aside(key.clone(), value);
    } else {
        drop_value(key, value);
        BUSY.set(false);
        drop(DropDeferred);
    }
}

thread_local! {
    /// Whether a value is being dropped here.
    static BUSY: Cell<bool> = const { Cell::new(false) };
    /// Whether none may be dropped here.
    static HELD_UP: Cell<bool> = const { Cell::new(false) };
}

/// Drops what was set aside when it is dropped itself: at the end of a call, whatever becomes of that, and after the
/// store of a cache is gone.
pub(crate) struct DropDeferred;

impl Drop for DropDeferred {
    fn drop(&mut self) {
        if WAITING.load(Ordering::Acquire) != 0 {
            drop_aside();
        }
    }
}

#[cold]
fn drop_aside() {
    // A call from within a value's `Drop`, or while changes are held up, leaves the rest to the call outside of it.
    if HELD_UP.get() || BUSY.replace(true) {
        return;
    }
    for _ in 0..ROUNDS {
        let aside = {
            let mut aside = lock(&ASIDE);
            WAITING.store(0, Ordering::Release);
            mem::take(&mut *aside)
        };
        if aside.is_empty() {
            break;
        }
        // The caller has nothing to do with them.
        aside.into_iter().for_each(|(key, value)| drop_value(&key, value));
    }
    BUSY.set(false);
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::sync::{Arc, atomic::AtomicBool};

    use super::*;

    struct Tells(Arc<AtomicBool>);

    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn nothing_is_dropped_while_changes_are_held_up() {
        let dropped = Arc::new(AtomicBool::new(false));
        hold_up(|| {
            drop_value(&"key".into(), Box::new(Tells(dropped.clone())));
            assert!(!dropped.load(Ordering::SeqCst));
        });
        // By this thread, or by another test's that was at it already.
        while !dropped.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        drop_value(&"key".into(), Box::new(Tells(Arc::default())));
    }
}
