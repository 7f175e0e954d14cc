//! What became of a value.

use std::fmt;

/// What became of a value that one process stored and another one read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The reader has an equal one.
    Same,
    /// It was not shared. The process that has it serves it from its memory, has counted that, and has logged a
    /// WARN that names the type.
    Refused,
    /// It was stored without a word, and the reader does not find it; or it is served by no process at all.
    NeverHit(String),
    /// The reader was given another value.
    Misread(String),
}

impl Outcome {
    /// The first word, for a table.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Refused => "refused",
            Self::NeverHit(_) => "never hit",
            Self::Misread(_) => "misread",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same | Self::Refused => f.write_str(self.name()),
            Self::NeverHit(detail) | Self::Misread(detail) => write!(f, "{}: {detail}", self.name()),
        }
    }
}
