//! Whether a cache is used, or passed by; and whether its events have a reader.

use std::{
    env,
    sync::{
        LazyLock,
        atomic::{AtomicU8, Ordering},
    },
};

/// Off, all caches of the process are from the start.
const VARIABLE: &str = "LARDER_DISABLED";

/// Calls pass the cache by.
const OFF: u8 = 1;

/// Hits are reported to readers of events.
const WATCHED: u8 = 2;

/// Read on every hit.
#[derive(Debug)]
pub(super) struct Switch(AtomicU8);

impl Switch {
    /// As the environment of the process says.
    pub(super) fn of_process() -> Self {
        static IS_ON: LazyLock<bool> = LazyLock::new(|| is_on(env::var_os(VARIABLE).as_deref()));
        Self(AtomicU8::new(if *IS_ON { 0 } else { OFF }))
    }

    // It orders nothing: what is stored and served is judged by the one rule, at whatever moment a thread sees the switch.

    /// Whether the cache is used, and not watched: then a hit need do no more than give a value.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) & OFF == 0
    }

    pub(super) fn turn(&self, on: bool) {
        self.set(OFF, !on);
    }

    pub(super) fn watch(&self, watched: bool) {
        self.set(WATCHED, watched);
    }

    fn set(&self, flag: u8, on: bool) {
        match on {
            true => self.0.fetch_or(flag, Ordering::Relaxed),
            false => self.0.fetch_and(!flag, Ordering::Relaxed),
        };
    }
}

fn is_on(disabled: Option<&std::ffi::OsStr>) -> bool {
    let text = disabled.map(|text| text.to_string_lossy().trim().to_ascii_lowercase());
    match text.as_deref() {
        None | Some("" | "0" | "false" | "no" | "off") => true,
        Some("1" | "true" | "yes" | "on") => false,
        Some(other) => {
            crate::panic_guard::report!(
                warn,
                value = other,
                "{VARIABLE} is neither true nor false, so that caches are used: set it to 1 to disable them"
            );
            true
        }
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use std::ffi::OsStr;

    use super::is_on;

    #[test]
    fn the_variable_disables_if_it_is_true() {
        for (value, on) in
            [("1", false), (" TRUE ", false), ("on", false), ("0", true), ("", true), ("maybe", true)]
        {
            assert_eq!(is_on(Some(OsStr::new(value))), on, "{value:?}");
        }
        assert!(is_on(None));
    }
}
