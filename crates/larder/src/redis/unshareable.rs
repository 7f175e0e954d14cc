//! Values that cannot be shared: told once for a type, and not tried for ever under the same key.

use std::{
    collections::HashSet,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    cache_core::Core,
    stats::Group,
    wire::{Rejected, Unencodable},
};

/// Keys whose values could not be shared the last times. A value is judged by what is in it, so that others of the
/// same type are shared all the same; but what is computed again and again under one key is mostly alike.
#[derive(Debug, Default)]
pub(super) struct Unshareable(OnceLock<Box<[AtomicU64]>>);

/// Keys that share a slot forget each other: then a value is tried once more.
const SLOTS: usize = 1 << 10;

/// So many times in a row are values of a key tried before some are not.
const PATIENCE: u64 = 8;

/// The most that are not tried between two that are.
const LONGEST: u64 = 64;

/// A slot: the key's hash in the high half, then 16 bits of refusals in a row, and 16 of those to postpone.
const COUNT: u64 = 0xffff;

impl Unshareable {
    /// Whether the value under this key is not to be tried. Counts it.
    pub(super) fn postpones(&self, key: u64) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        let known = slot.load(Relaxed);
        let postponed = known >> 32 == key >> 32 && known & COUNT > 0;
        if postponed {
            slot.store(known - 1, Relaxed);
        }
        postponed
    }

    /// The value under this key was refused.
    pub(super) fn note(&self, key: u64) {
        let slots = self.0.get_or_init(|| std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect());
        let slot = &slots[key as usize % SLOTS];
        let known = slot.load(Relaxed);
        let before = if known >> 32 == key >> 32 { known >> 16 & COUNT } else { 0 };
        let refusals = (before + 1).min(COUNT);
        let postponed = match refusals.checked_sub(PATIENCE) {
            Some(over) => (1 << over.min(6)).min(LONGEST),
            None => 0,
        };
        slot.store(key >> 32 << 32 | refusals << 16 | postponed, Relaxed);
    }

    /// The value under this key can be shared.
    pub(super) fn clear(&self, key: u64) {
        if let Some(slot) = self.slot(key)
            && slot.load(Relaxed) >> 32 == key >> 32
        {
            slot.store(0, Relaxed);
        }
    }

    fn slot(&self, key: u64) -> Option<&AtomicU64> {
        self.0.get().map(|slots| &slots[key as usize % SLOTS])
    }
}

/// Counts a value that stays in this process, by the reason, and warns of it once for its type.
pub(super) fn count_unshared((core, group): (&Core, Group), type_name: &'static str, reason: &Unencodable) {
    core.count_in(group, |counters| match reason {
        Unencodable::Changed { .. } | Unencodable::OneSided { .. } => &counters.unshared_changed,
        Unencodable::Unreadable { .. } => &counters.unshared_unreadable,
        Unencodable::Codec { .. } => &counters.unshared_unencodable,
        Unencodable::TooDeep { .. } => &counters.unshared_too_deep,
        Unencodable::Panicked => &counters.unshared_panicked,
        Unencodable::Postponed => &counters.unshared_postponed,
        Unencodable::TooLarge { .. } => &counters.shared_too_large,
        Unencodable::TooManyScopes { .. } => &counters.stores_too_wide,
    });
    // The first two depend on the value alone, and the caller is told otherwise.
    let is_of_type = !matches!(
        reason,
        Unencodable::TooLarge { .. } | Unencodable::TooManyScopes { .. } | Unencodable::Postponed
    );
    if is_of_type && is_first(type_name, reason.name()) {
        let text = reason.to_string();
        let (reason, mend) = parts(reason, &text);
        crate::panic_guard::report!(
            warn,
            value_type = type_name,
            reason,
            mend,
            "a value of this type is not shared: it stays in this process, and so will others like it \
             (counted, and warned of once for each type and reason)"
        );
    }
}

/// What is wrong, and what mends it: two fields of an event. The text of an error has both, with a semicolon between.
fn parts<'t>(reason: &Unencodable, text: &'t str) -> (&'t str, Option<&'t str>) {
    match reason {
        // In the words of a type or a codec.
        Unencodable::Codec { .. } => (text, None),
        _ => text.split_once("; ").map_or((text, None), |(reason, mend)| (reason, Some(mend))),
    }
}

/// Counts an entry of another process that this build's type refuses, and warns of it once for its type.
pub(super) fn count_unreadable((core, group): (&Core, Group), type_name: &'static str, reason: Rejected) {
    core.count_in(group, |counters| &counters.shared_unreadable);
    if is_first(type_name, reason.name()) {
        crate::panic_guard::report!(warn,
            value_type = type_name,
            %reason,
            mend = "wait until all processes run one release; if it stays, look for a `Deserialize` that depends on \
                    more than its bytes, and for features of a dependency that only one build has",
            "a value of this type, stored by another process, cannot be read here (counted, and warned of once for \
             each type and reason)"
        );
    }
}

/// Whether this is new. There are no more of them than types in the program, times reasons.
fn is_first(type_name: &'static str, reason: &'static str) -> bool {
    static WARNED: Mutex<Option<HashSet<(&'static str, &'static str)>>> = Mutex::new(None);
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    warned.get_or_insert_default().insert((type_name, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_tried_less_and_less() {
        let unshareable = Unshareable::default();
        let key = 0x1234_5678_9abc_def0;
        let mut tried = 0;
        for _ in 0..1_000 {
            if !unshareable.postpones(key) {
                tried += 1;
                unshareable.note(key);
            }
        }
        assert!((20..40).contains(&tried), "{tried}");
        assert!(!unshareable.postpones(key ^ 1 << 63));
        unshareable.clear(key);
        assert!(!unshareable.postpones(key));
    }

    #[test]
    fn the_first_times_all_are_tried() {
        let unshareable = Unshareable::default();
        for _ in 1..PATIENCE {
            unshareable.note(7);
            assert!(!unshareable.postpones(7));
        }
        unshareable.note(7);
        assert!(unshareable.postpones(7));
    }

    #[test]
    fn a_type_is_warned_of_once_for_each_reason() {
        assert!(is_first("of this test", "changed"));
        assert!(!is_first("of this test", "changed"));
        assert!(is_first("of this test", "panicked"));
    }
}
