//! The file, a line at a time, and how far it is done.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use crate::failure::Failure;

/// No value is larger that a process would read.
const LONGEST_LINE: u64 = 260 << 20;

/// What is read at once: so many lines, or so many bytes.
const LINES: usize = 500;
const BYTES: usize = 1 << 20;

/// A line, without its end.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) text: Vec<u8>,
}

/// How far the lines are read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Position {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    /// The length of the file, where that is known.
    pub(super) length: Option<u64>,
}

impl Position {
    /// What part of the file that is, if its length is known.
    pub(super) fn part(&self) -> Option<f64> {
        let length = self.length.filter(|length| *length > 0)?;
        Some(self.bytes as f64 / length as f64)
    }
}

/// Where lines come from.
pub(super) struct Source {
    reader: Box<dyn BufRead + Send>,
    position: Position,
}

impl Source {
    /// A file, or `-` for the standard input. Lines before the first one that is wanted are passed over.
    pub(super) fn open(path: &Path, from_line: u64) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::usage(format!("{}: {error}", path.display()))
                .with_mend("name a file of JSON lines, or - for the standard input")
        };
        let mut source = if path.as_os_str() == "-" {
            Self::of(Box::new(BufReader::with_capacity(1 << 16, io::stdin())), None)
        } else {
            let file = File::open(path).map_err(failed)?;
            let metadata = file.metadata().map_err(failed)?;
            if metadata.is_dir() {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            }
            let length = Some(metadata.len()).filter(|_| metadata.is_file());
            Self::of(Box::new(BufReader::with_capacity(1 << 16, file)), length)
        };
        while source.position.lines + 1 < from_line && source.next()?.is_some() {}
        Ok(source)
    }

    fn of(reader: Box<dyn BufRead + Send>, length: Option<u64>) -> Self {
        Self { reader, position: Position { length, ..Position::default() } }
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// The next lines; none at the end. It waits for them where they are not there yet.
    pub(super) fn batch(&mut self) -> io::Result<Vec<Line>> {
        let (mut lines, begin) = (Vec::new(), self.position.bytes);
        while lines.len() < LINES && self.position.bytes - begin < BYTES as u64 {
            let Some(line) = self.next()? else { break };
            lines.push(line);
        }
        Ok(lines)
    }

    /// The next line; none at the end.
    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut text = Vec::new();
        let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut text)? as u64;
        if read == 0 {
            return Ok(None);
        }
        self.position.bytes += read;
        self.position.lines += 1;
        if read == LONGEST_LINE && text.last() != Some(&b'\n') {
            // Its end is looked for, and what is left of it cannot be a line.
            text.truncate(64);
            self.position.bytes += self.reader.skip_until(b'\n')? as u64;
        }
        if text.last() == Some(&b'\n') {
            text.pop();
        }
        Ok(Some(Line { number: self.position.lines, text }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_their_numbers() {
        let text: &[u8] = b"one\n\ntwo\r\nthree";
        let mut source = Source::of(Box::new(text), None);
        let lines = source.batch().expect("it is read").into_iter();
        let lines: Vec<_> =
            lines.map(|line| (line.number, String::from_utf8(line.text).expect("text"))).collect();
        let expected = [(1, "one"), (2, ""), (3, "two\r"), (4, "three")];
        assert_eq!(lines, expected.map(|(number, text)| (number, text.to_owned())));
        assert_eq!((source.position().lines, source.position().bytes), (4, text.len() as u64));
        assert!(source.batch().expect("it is read").is_empty());
        let many = "x\n".repeat(LINES + 1).into_bytes();
        let mut source = Source::of(Box::new(io::Cursor::new(many)), None);
        assert_eq!([(); 3].map(|()| source.batch().expect("it is read").len()), [LINES, 1, 0]);
    }
}
