//! Rules that are broken on purpose, in a build of their own (`--cfg larder_mutant`), for the tests that have
//! to find out. `LARDER_MUTANT` names the rule. Anywhere else nothing of this is there.

/// Whether this rule is the one that is broken.
#[cfg(not(larder_mutant))]
#[inline(always)]
pub(crate) const fn is(_: &str) -> bool {
    false
}

/// Whether this rule is the one that is broken.
#[cfg(larder_mutant)]
pub(crate) fn is(name: &str) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("LARDER_MUTANT").ok());
    CHOSEN.as_deref() == Some(name)
}
