//! Values that cannot be shared: told for each type, and not tried for ever under the same key.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use super::rejections::AGAIN;
use crate::{
    cache_core::Core, error_chain::in_full, link::Unshared, stats::Group, sync::plain::lock,
    wire::Unencodable,
};

/// Keys whose values could not be shared the last times. A value is judged by what is in it, so that others of the
/// same type are shared all the same; but what is computed again and again under one key is mostly alike.
#[derive(Debug, Default)]
pub(crate) struct Unshareable(OnceLock<Box<[AtomicU64]>>);

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
    pub(crate) fn postpones(&self, key: u64) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        let known = slot.load(Relaxed);
        let postponed = known >> 32 == key >> 32 && known & COUNT > 0;
        if postponed {
            slot.store(known - 1, Relaxed);
        }
        postponed
    }

    /// The value under this key was refused.
    pub(crate) fn note(&self, key: u64) {
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
    pub(crate) fn clear(&self, key: u64) {
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

/// Types whose values stay in this process, for [`Link`](crate::Link): there are no more of them than types in the program,
/// times reasons.
#[derive(Debug, Default)]
pub(crate) struct UnsharedTypes(Mutex<Vec<(Unshared, Instant)>>);

/// What has not happened for so long is over.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// No more types are told apart.
const MOST: usize = 1_000;

impl UnsharedTypes {
    /// A value of a type was not shared.
    pub(crate) fn note(&self, value_type: &'static str, reason: &Unencodable) {
        // Why was said of those before it.
        if matches!(reason, Unencodable::Postponed) {
            return;
        }
        let (now, name) = (Instant::now(), reason.name());
        let mut types = lock(&self.0);
        let known = types.iter_mut().find(|(of, _)| of.value_type == value_type && of.reason == name);
        if let Some((of, last)) = known {
            if now.saturating_duration_since(*last) > PAUSE {
                (of.since, of.count) = (SystemTime::now(), 0);
            }
            of.count += 1;
            *last = now;
        } else if types.len() < MOST {
            let (text, mend) = words(reason);
            let of = Unshared { value_type, reason: name, text, mend, since: SystemTime::now(), count: 1 };
            types.push((of, now));
        }
    }

    /// Those of the last minutes.
    pub(crate) fn list(&self) -> Vec<Unshared> {
        let now = Instant::now();
        let types = lock(&self.0);
        let current = types.iter().filter(|(_, last)| now.saturating_duration_since(*last) <= PAUSE);
        current.map(|(of, _)| of.clone()).collect()
    }
}

/// What is wrong, and what mends it: the text of an error has both, with a semicolon between.
fn words(reason: &Unencodable) -> (String, Option<String>) {
    let text = reason.to_string();
    let (text, mend) = text.split_once("; ").map_or((&*text, None), |(text, mend)| (text, Some(mend)));
    (in_full(text, reason.cause()), mend.map(str::to_owned))
}

/// Counts a value that stays in this process, by the reason, and warns of it for its type.
pub(crate) fn count_unshared((core, group): (&Core, Group), type_name: &'static str, reason: &Unencodable) {
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
    let due = if is_of_type { due(type_name, reason.name(), Instant::now()) } else { None };
    if let Some(count) = due {
        let (reason, mend) = words(reason);
        crate::panic_guard::report!(
            warn,
            value_type = type_name,
            reason,
            mend,
            count,
            "a value of this type is not shared: it stays in this process, and so will others like it \
             (counted; warned of for each type and reason, once and again each minute while it goes on)"
        );
    }
}

/// How often it was since the last warning, if there is to be one: at first, and again each minute while it goes on. There
/// are no more of them than types in the program, times reasons.
fn due(type_name: &'static str, reason: &'static str, now: Instant) -> Option<u64> {
    type Warned = HashMap<(&'static str, &'static str), (Instant, u64)>;
    static WARNED: Mutex<Option<Warned>> = Mutex::new(None);
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    match warned.get_or_insert_default().entry((type_name, reason)) {
        Entry::Vacant(place) => {
            place.insert((now, 0));
            Some(1)
        }
        Entry::Occupied(mut place) => {
            let (warned, unreported) = place.get_mut();
            *unreported += 1;
            if now.saturating_duration_since(*warned) < AGAIN {
                return None;
            }
            *warned = now;
            Some(std::mem::take(unreported))
        }
    }
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
    fn a_type_is_warned_of_once_for_each_reason_and_minute() {
        let now = Instant::now();
        assert_eq!(due("of this test", "changed", now), Some(1));
        assert_eq!(due("of this test", "changed", now), None);
        assert_eq!(due("of this test", "panicked", now), Some(1));
        assert_eq!(due("of this test", "changed", now + AGAIN), Some(2), "a minute later");
    }
}
