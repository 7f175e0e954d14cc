//! Whether a cache is used, or passed by.

use std::{
    env,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// Off, all caches of the process are from the start.
const VARIABLE: &str = "LARDER_DISABLED";

/// Read on every hit.
#[derive(Debug)]
pub(super) struct Switch(AtomicBool);

impl Switch {
    /// As the environment of the process says.
    pub(super) fn of_process() -> Self {
        static IS_ON: LazyLock<bool> = LazyLock::new(|| is_on(env::var_os(VARIABLE).as_deref()));
        Self(AtomicBool::new(*IS_ON))
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        // It orders nothing: what is stored and served is judged by the one rule, at whatever moment a thread sees the switch.
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn turn(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
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
