//! The table.

mod attributes;
mod collections;
mod concrete;
mod crates;
mod numbers;
mod pointers;
mod recursive;
mod system;

use crate::Row;

/// Every row there is.
#[must_use]
pub fn all() -> Vec<Row> {
    [
        numbers::rows(),
        pointers::rows(),
        collections::rows(),
        system::rows(),
        attributes::rows(),
        recursive::rows(),
        crates::rows(),
        concrete::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
