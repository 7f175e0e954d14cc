//! Where an annotated function stands. A macro is given the function alone; its source file shows the rest.
//!
//! Where there is no such file to read (the function is written by another macro, or the compiler is not running), the
//! answer is [`Place::Unknown`], and what is generated has to do without.

mod header;
mod place;
mod scan;
#[cfg(test)]
mod tests;

use std::fs;

use proc_macro2::Ident;

pub(crate) use self::place::{Place, Surroundings};

/// Of the function with this name, which stands in a source file.
pub(crate) fn of(name: &Ident) -> Surroundings {
    find(name).unwrap_or_default()
}

fn find(name: &Ident) -> Option<Surroundings> {
    if !proc_macro::is_available() {
        return None;
    }
    let span = name.span().unwrap();
    let text = fs::read_to_string(span.local_file()?).ok()?;
    let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1));
    let line = line_starts.into_iter().nth(span.line().checked_sub(1)?)?;
    let (column, _) = text[line..].char_indices().nth(span.column().checked_sub(1)?)?;
    scan::scan(&text, line + column, &name.to_string())
}
