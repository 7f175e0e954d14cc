//! Types of well-known crates.

mod bits;
mod collections;
mod documents;
mod helpers;
mod numbers;
mod shown;
mod texts;
mod time;
mod web;

use crate::Row;

pub(super) fn rows() -> Vec<Row> {
    let groups = [
        bits::rows(),
        collections::rows(),
        documents::rows(),
        helpers::rows(),
        numbers::rows(),
        shown::rows(),
        texts::rows(),
        time::rows(),
        web::rows(),
    ];
    groups.into_iter().flatten().collect()
}
