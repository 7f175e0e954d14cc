#![doc = include_str!("../docs/counters.md")]

mod numbers;
mod ranking;
mod window;

pub use self::{
    numbers::{Added, Counters},
    ranking::Ranking,
};
pub use crate::tally::{Expiry, Tallied, Tally, Top};
