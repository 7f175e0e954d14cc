//! How wide the terminal is.

use std::io::{self, IsTerminal};

use ratatui::crossterm::terminal::size;

/// The columns of a terminal that is the standard output; as many as one likes where that is none.
pub(crate) fn columns() -> usize {
    if io::stdout().is_terminal() { known() } else { usize::MAX }
}

/// The columns of a terminal that is the standard error.
pub(crate) fn columns_of_notes() -> usize {
    if io::stderr().is_terminal() { known() } else { usize::MAX }
}

/// Some terminals do not say, or say 0.
fn known() -> usize {
    match size() {
        Ok((columns, _)) if columns > 0 => usize::from(columns),
        _ => usize::MAX,
    }
}
