//! Rules that are broken on purpose, in a build of their own (`--cfg larder_mutant`), for the tests that have
//! to find out. `LARDER_MUTANT` names the rule. Anywhere else nothing of this is there.

#[cfg_attr(not(larder_mutant), expect(dead_code, reason = "only that build compares names"))]
mod rule;

pub(crate) use self::rule::Rule;

/// Whether this rule is the one that is broken.
#[cfg(not(larder_mutant))]
#[inline(always)]
pub(crate) const fn is(_: Rule) -> bool {
    false
}

/// Whether this rule is the one that is broken.
///
/// # Panics
///
/// If `LARDER_MUTANT` names no rule: a test that breaks nothing would find nothing.
#[cfg(larder_mutant)]
pub(crate) fn is(rule: Rule) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<Rule>> = std::sync::LazyLock::new(|| {
        let name = std::env::var("LARDER_MUTANT").ok()?;
        let chosen = Rule::ALL.iter().copied().find(|rule| rule.name() == name);
        Some(chosen.unwrap_or_else(|| panic!("LARDER_MUTANT={name} names no rule")))
    });
    *CHOSEN == Some(rule)
}
