#![doc = include_str!("../docs/limit.md")]

mod decide;
mod decision;
mod limited;
mod limiter;

pub(crate) use self::decide::{Terms, decide};
pub use self::{
    decide::FailureMode,
    decision::{DecidedBy, Decision},
    limited::Limited,
    limiter::Limiter,
};
pub use crate::gcra::{InvalidRate, Rate, Usage};
