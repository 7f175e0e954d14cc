//! What was found out about the servers of one log, by all caches on it.

use super::{abilities::Abilities, idle::Idle, refusal::Refusals};

/// What was found out about the servers of one log.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) refusals: Refusals,
    pub(super) abilities: Abilities,
    pub(super) idle: Idle,
}
