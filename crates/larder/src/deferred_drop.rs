//! Values that must not be dropped where they are.
//!
//! A value's `Drop` is its author's code: it may call the cache that it lay in, and it may panic. A store drops what it
//! no longer keeps while it holds its locks, or whenever it next reclaims memory, in any call of any thread. So whatever
//! would be dropped there is put aside, and dropped at the end of the next call, of whichever cache, under no lock.

use std::{
    cell::Cell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    entry::Stored,
    sync::plain::{Mutex, lock},
};

/// How often one call looks for more: what is dropped may store values, in whose place others go.
const ROUNDS: usize = 64;

static ASIDE: Mutex<Vec<Stored>> = Mutex::new(Vec::new());

/// How many lie there, so that most calls need not take the lock.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Gives up an entry. If it has no other owner, its value is dropped later.
pub(crate) fn defer(entry: Arc<Stored>) {
    if let Some(last) = Arc::into_inner(entry) {
        let mut aside = lock(&ASIDE);
        aside.push(last);
        WAITING.store(aside.len(), Ordering::Release);
    }
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
    thread_local!(static BUSY: Cell<bool> = const { Cell::new(false) });
    // A call from within a value's `Drop` leaves the rest to the call outside of it, or they would nest without end.
    if BUSY.replace(true) {
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
        for stored in aside {
            let key = stored.key.clone();
            // The caller has nothing to do with this value.
            if catch_unwind(AssertUnwindSafe(|| drop(stored))).is_err() {
                let warn = || tracing::warn!(key = &*key, "the `Drop` of a cached value panicked");
                // Nor with what a subscriber does.
                _ = catch_unwind(AssertUnwindSafe(warn));
            }
        }
    }
    BUSY.set(false);
}
