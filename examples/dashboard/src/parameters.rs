//! What clients write after the `?` of a URL.

use std::num::NonZeroU32;

use serde::Deserialize;

/// How many customers to list: `?count=10`.
#[derive(Debug, Deserialize)]
pub struct Top {
    #[serde(default = "ten")]
    count: u32,
}

impl Top {
    /// 100 at most.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count.min(100)
    }
}

/// Which page of a list: `?page=1`.
#[derive(Debug, Deserialize)]
pub struct Paging {
    /// From 1 on.
    #[serde(default = "first")]
    pub page: NonZeroU32,
}

/// From when on to tell what happened: `?after=1767225600000`.
#[derive(Debug, Deserialize)]
pub struct After {
    /// In milliseconds since 1970.
    #[serde(default)]
    pub after: u64,
}

fn ten() -> u32 {
    10
}

fn first() -> NonZeroU32 {
    NonZeroU32::MIN
}
