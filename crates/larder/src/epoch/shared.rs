//! The one rule between processes: the order of the log that they share, and how one of them follows it.

mod contact;
mod coverage;
mod following;
mod generations;
mod log_order;
mod outbox;

#[cfg(all(test, not(larder_loom)))]
pub(crate) use self::outbox::Outbox;
pub(crate) use self::{
    contact::Contact,
    following::SharedEpochs,
    generations::{GenerationEpochs, GenerationOrder, Lanes, Taken},
    log_order::{LogOrder, RESET_MARGIN, RESET_SPREAD, Record},
    outbox::OutboxBatch,
};
pub(crate) use crate::clock::boot_time::Instant;
