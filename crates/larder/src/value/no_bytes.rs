//! Without a server, values are never bytes.

use super::Value;

/// See `bytes.rs`.
pub(crate) trait ToBytes {}

impl<V: Value> ToBytes for V {}

/// See `bytes.rs`.
#[derive(Clone, Copy)]
pub(crate) struct FromBytes;

impl FromBytes {
    #[expect(clippy::extra_unused_type_parameters, reason = "as where there are bytes")]
    pub(crate) fn of<V: Value>() -> Self {
        Self
    }

    pub(crate) fn skip() -> Self {
        Self
    }
}
