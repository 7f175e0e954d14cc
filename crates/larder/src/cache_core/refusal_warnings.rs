//! What a cache refuses to keep or to serve: counted, and said once.

use std::sync::atomic::Ordering;

use super::Core;
use crate::{scope, stats::Group};

impl Core {
    /// Counts a value that is not stored because too many scopes cover it; the first time, says so.
    pub(crate) fn refuse_too_wide(&self, key: &str, group: Group) {
        self.count_in(group, |counters| &counters.stores_too_wide);
        if !self.0.warned_too_wide.swap(true, Ordering::Relaxed) {
            crate::panic_guard::report!(
                warn,
                key,
                limit = scope::MOST,
                "a value is not stored, because more scopes cover it than an entry can have: those of all that was \
                 read from caches while it was computed; give what it is made of a common tag, read it in a function \
                 that is `detached`, and give the value that tag (said once for each cache; counted as \
                 `stores_too_wide`)"
            );
        }
    }

    /// Counts a read that found a value of another type than the one it asked for; the first time, says so.
    pub(crate) fn refuse_other_type(&self, key: &str, asked: &str, group: Group) {
        self.count_in(group, |counters| &counters.type_mismatches);
        if !self.0.warned_other_type.swap(true, Ordering::Relaxed) {
            crate::panic_guard::report!(
                warn,
                key,
                asked,
                "the entry under this key holds a value of another type, so that those who read and those who write it \
                 never share one; store and read one type: that of a function with `#[cached]` is what it returns, \
                 without the outer `Result` and with its `Option` (said once for each cache; counted as \
                 `type_mismatches`)"
            );
        }
    }
}
