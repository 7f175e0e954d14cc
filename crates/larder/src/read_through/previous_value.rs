//! Old values that computations are made from.

use std::{sync::Arc, time::Duration};

use crate::{
    cache_core::Core,
    deferred,
    dependencies::OldEntry,
    entry::Entry,
    epoch::{Epochs, Standing},
    mutant::{self, Rule},
};

/// What a computation is to replace.
struct Replaced {
    core: Core,
    entry: Entry,
}

/// The entry that a computation is to replace, to be judged when it is asked for.
pub(super) fn replaced(core: &Core, entry: &Entry) -> Box<dyn OldEntry> {
    Box::new(Replaced { core: core.clone(), entry: entry.clone() })
}

impl OldEntry for Replaced {
    /// Judged anew: what was changed since the lookup, and before the computation began, is not what its read version
    /// knows of.
    fn usable(&self) -> Option<(&Entry, &Arc<Epochs>, Duration)> {
        let Self { core, entry } = self;
        let (now, epochs) = (core.now(), core.epochs());
        let is_over = || {
            let is_valid = entry.0.standing(epochs) == Standing::Valid && !entry.0.is_marked();
            entry.0.is_expired(now) || !is_valid && !mutant::is(Rule::PreviousNotJudged)
        };
        let is_usable = core.is_enabled() && !is_over() && !deferred::covers(core, entry);
        is_usable.then(|| (entry, epochs, entry.0.age(now)))
    }
}
