//! serde's attributes, by what they do.

mod enums;
mod flatten;
mod functions;
mod names;
mod skip;

use crate::Row;

pub(super) fn rows() -> Vec<Row> {
    [skip::rows(), names::rows(), functions::rows(), flatten::rows(), enums::rows()]
        .into_iter()
        .flatten()
        .collect()
}
