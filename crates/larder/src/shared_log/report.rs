//! Telling the user's subscriber.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `tell`, which emits events. The subscriber is the user's, and may panic: reader and sender go on as if it had
/// not, so that nothing is lost and nothing waits for ever.
pub(crate) fn report(tell: impl FnOnce()) {
    // The panic was printed by its hook.
    _ = catch_unwind(AssertUnwindSafe(tell));
}
