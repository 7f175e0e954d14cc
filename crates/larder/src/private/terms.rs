//! Under which terms a function's values are kept: macro output says once whether they leave the process, and all else takes
//! them as they are.

use crate::{
    policy::Policy,
    read_through::Wanted,
    value::{LocalValue, Value},
};

/// How long values live, of which type they are, and whether other processes are given them.
#[derive(Debug)]
pub struct Terms {
    pub(super) policy: Policy,
    pub(super) wanted: Wanted,
}

impl Terms {
    /// Of values that other processes may have computed, and may read.
    pub(super) fn shared<V: Value>(policy: Policy) -> Self {
        Self { wanted: Wanted::shared::<V>(&policy), policy }
    }

    /// Of values that stay in this process.
    pub(super) fn local<V: LocalValue>(policy: Policy) -> Self {
        Self { wanted: Wanted::local::<V>(&policy), policy }
    }
}
