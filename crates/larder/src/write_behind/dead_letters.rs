//! Writes that were given up.

use std::fmt;

use super::id::WriteId;

/// A write that was given up, and is kept until it is replayed or discarded.
#[non_exhaustive]
pub struct DeadLetter<T> {
    /// Which dead letter it is: what [`replay`](crate::write_behind::WriteBehind::replay) and
    /// [`discard`](crate::write_behind::WriteBehind::discard) take.
    pub id: WriteId,
    /// Which write it was.
    pub write: WriteId,
    /// The key that it was made under; empty if it had none that can be read.
    pub key: String,
    /// What was to be written; none if it cannot be read as a `T`. It is kept as it is.
    pub value: Option<T>,
    /// Why it was given up: what the sink said last.
    pub reason: String,
}

/// Without the value, which may be a secret.
impl<T> fmt::Debug for DeadLetter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("id", &self.id)
            .field("write", &self.write)
            .field("key", &self.key)
            .field("is_readable", &self.value.is_some())
            .field("reason", &self.reason)
            .finish()
    }
}
