//! The standard output.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Where answers go.
pub(crate) struct Output {
    /// For programs rather than for people.
    pub(crate) json: bool,
    writer: BufWriter<Stdout>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, writer: BufWriter::with_capacity(1 << 16, io::stdout()) }
    }

    /// A line for people.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        Ok(writeln!(self.writer, "{}", text.as_ref().trim_end())?)
    }

    /// Text with its line ends.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.writer.write_all(text.as_bytes())?)
    }

    /// A line for programs.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.writer, value).map_err(io::Error::from)?;
        Ok(writeln!(self.writer)?)
    }

    /// What was written is to be seen now.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.writer.flush()?)
    }
}

/// Says what is no answer, on the standard error: an object a line for programs.
pub(crate) fn note(json: bool, text: &str) {
    match json {
        true => note_json(&serde_json::json!({ "note": text })),
        // What cannot be said is no reason to end.
        false => _ = writeln!(io::stderr().lock(), "larder: {text}"),
    }
}

/// The same with more to it.
pub(crate) fn note_json(value: &serde_json::Value) {
    _ = writeln!(io::stderr().lock(), "{value}");
}
