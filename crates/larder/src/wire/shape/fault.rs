//! How a walk ends before its end, and what that tells.
//!
//! A type that buffers what it reads (serde's `flatten`, `untagged` and internal tags) asks for
//! anything, and shows what it wanted only by the errors that it makes, many of which it swallows. So
//! errors are noted where they are made.

use std::{cell::RefCell, fmt};

use serde::de::{self, Expected, Unexpected};

/// Names that serde's derive passes around.
pub(super) type Names = &'static [&'static str];

#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// A field was not there.
    Missing(&'static str),
    /// A field was there twice: under a second name of it.
    Duplicate,
    /// There is no such field, but these.
    UnknownField(Names),
    /// There is no such variant, but these.
    UnknownVariant(Names),
    /// The answer was not good enough, or the walk is too deep or too long.
    Refused,
    /// The recorder has learned what to answer, and begins again.
    Again,
}

/// What an error told.
#[derive(Debug, Clone)]
pub(super) enum Note {
    Missing(&'static str),
    Expected(String),
}

thread_local! {
    static NOTES: RefCell<Vec<Note>> = const { RefCell::new(Vec::new()) };
}

fn note(note: Note) {
    NOTES.with_borrow_mut(|notes| notes.push(note));
}

/// How many notes there are since they were last taken.
pub(super) fn noted() -> usize {
    NOTES.with_borrow(Vec::len)
}

pub(super) fn take_notes() -> Vec<Note> {
    NOTES.take()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not meant to be seen")
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Refused
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        note(Note::Expected(expected.to_string()));
        Self::Refused
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        note(Note::Expected(expected.to_string()));
        Self::Refused
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        note(Note::Expected(expected.to_string()));
        Self::Refused
    }

    fn unknown_variant(_: &str, expected: Names) -> Self {
        note(Note::Expected(expected.join("|")));
        Self::UnknownVariant(expected)
    }

    fn unknown_field(_: &str, expected: Names) -> Self {
        note(Note::Expected(expected.join(",")));
        Self::UnknownField(expected)
    }

    fn missing_field(field: &'static str) -> Self {
        note(Note::Missing(field));
        Self::Missing(field)
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self::Duplicate
    }
}
