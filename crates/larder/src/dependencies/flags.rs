//! What a hit looks at before it is nothing but a hit: whether the code that runs is a part of something larger.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    sync::Arc,
};

/// A scope of deferred invalidations, as `deferred` knows it.
pub(crate) type DeferredScope = Arc<dyn Any + Send + Sync>;

/// Reads have to be recorded.
const RECORDS: u8 = 1;
/// The code runs in a scope of deferred invalidations.
const DEFERS: u8 = 2;

thread_local! {
    static FLAGS: Cell<u8> = const { Cell::new(0) };
    static DEFERRED: RefCell<Option<DeferredScope>> = const { RefCell::new(None) };
}

/// Whether a hit is nothing but a hit: all that one outside of computations looks at.
#[inline]
pub(crate) fn is_plain() -> bool {
    FLAGS.get() == 0
}

/// Whether the code that runs is a computation whose reads are recorded.
#[inline]
pub(crate) fn recording() -> bool {
    FLAGS.get() & RECORDS != 0
}

/// Whether the code that runs is in a scope of deferred invalidations.
pub(crate) fn in_deferred() -> bool {
    FLAGS.get() & DEFERS != 0
}

pub(super) fn set_recording(recording: bool) {
    set(RECORDS, recording);
}

fn set(flag: u8, on: bool) {
    FLAGS.set(if on { FLAGS.get() | flag } else { FLAGS.get() & !flag });
}

/// The scope of deferred invalidations that the code that runs is in.
pub(crate) fn current_deferred() -> Option<DeferredScope> {
    if in_deferred() { DEFERRED.try_with(|current| current.borrow().clone()).ok().flatten() } else { None }
}

/// Makes another one current, or none; the one so far. None is where thread-locals are destroyed already.
fn set_deferred(scope: Option<DeferredScope>) -> Option<DeferredScope> {
    DEFERRED.try_with(|current| current.replace(scope)).ok().flatten()
}

/// Makes a scope of deferred invalidations current; the one before it is current again afterwards, also after a panic.
pub(crate) struct EnteredDeferred {
    outer: Option<DeferredScope>,
}

impl EnteredDeferred {
    pub(crate) fn new(scope: DeferredScope) -> Self {
        set(DEFERS, true);
        Self { outer: set_deferred(Some(scope)) }
    }
}

impl Drop for EnteredDeferred {
    fn drop(&mut self) {
        set(DEFERS, self.outer.is_some());
        // Perhaps the last one who has it: what it lets go of may look at it.
        let inner = set_deferred(self.outer.take());
        drop(inner);
    }
}
