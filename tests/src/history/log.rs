//! What a worker did, in order: kept in memory, and written to a file at its end.
//!
//! A record is a kind, the number of its fields, and its fields, all of them LEB128. Moments count from the
//! start of the log. A worker that is killed loses its log, and the checker knows less: never something wrong,
//! since every record only ever adds to what a read must have known.

mod code;
mod record;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, io, mem};

pub use self::record::{Change, Drained, Heard, Node, Outcome, Read, Record, Settled, Tally, Write};
use super::clock::{self, Moment};
use super::value::{Made, ValueId};

/// The first bytes of a log.
const MAGIC: &[u8; 8] = b"larderh1";

/// Takes down what happens, from any thread.
#[derive(Debug)]
pub struct Recorder {
    start: Moment,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Values that were described already.
    described: HashSet<ValueId>,
    tally: Tally,
}

/// A log that was read back.
#[derive(Debug, Clone, Default)]
pub struct Log {
    start: Moment,
    bytes: Vec<u8>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// An empty log that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: clock::now(), state: Mutex::default() }
    }

    /// Takes down a record.
    pub fn add(&self, record: &Record) {
        record.encode(self.start, &mut self.state().bytes);
    }

    /// Takes down a read, and what it gave.
    pub fn add_read(&self, read: &Read, value: &Made) {
        let mut state = self.state();
        let State { bytes, described, tally } = &mut *state;
        describe(value, self.start, bytes, described);
        Record::Read(*read).encode(self.start, bytes);
        tally.reads += 1;
    }

    /// Counts something.
    pub fn count(&self, what: impl FnOnce(&mut Tally)) {
        what(&mut self.state().tally);
    }

    /// How many bytes the log takes, about.
    #[must_use]
    pub fn size(&self) -> u64 {
        /// A value's ID, what a set keeps beside it, and the room that it leaves.
        const DESCRIBED: usize = 18;
        let state = self.state();
        (state.bytes.len() + state.described.len() * DESCRIBED) as u64
    }

    /// Writes the log to a file, all at once.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let tally = state.tally;
        let mut bytes = mem::take(&mut state.bytes);
        Record::Tally(tally).encode(self.start, &mut bytes);
        let mut file = MAGIC.to_vec();
        file.extend(self.start.to_le_bytes());
        file.append(&mut bytes);
        // Under another name first: a log is there in full, or not at all.
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, file)?;
        fs::rename(unfinished, path)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes down a value and those in it, each the first time that it is met.
fn describe(value: &Made, start: Moment, bytes: &mut Vec<u8>, described: &mut HashSet<ValueId>) {
    value.each(&mut |value| {
        if described.insert(value.id) {
            Record::Value(Node::of(value)).encode(start, bytes);
        }
    });
}

impl Log {
    /// Reads a log.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is no log.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = fs::read(path)?;
        let header = MAGIC.len() + size_of::<Moment>();
        let no_log = || io::Error::new(io::ErrorKind::InvalidData, "this is no log");
        let start = file.get(MAGIC.len()..header).filter(|_| file.starts_with(MAGIC)).ok_or_else(no_log)?;
        let start = Moment::from_le_bytes(start.try_into().map_err(|_| no_log())?);
        let log = Self { start, bytes: file[header..].to_vec() };
        if log.records().any(|record| record.is_none()) {
            return Err(no_log());
        }
        Ok(log)
    }

    /// A log with these records.
    #[must_use]
    pub fn of(records: &[Record]) -> Self {
        let mut log = Self::default();
        records.iter().for_each(|record| record.encode(0, &mut log.bytes));
        log
    }

    /// The records, in the order in which they were taken down; a none for what is none.
    pub fn records(&self) -> impl Iterator<Item = Option<Record>> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let record = Record::decode(self.start, &mut rest);
            if record.is_none() {
                rest = &[];
            }
            Some(record)
        })
    }

    /// When it was begun.
    #[must_use]
    pub fn start(&self) -> Moment {
        self.start
    }
}

#[cfg(test)]
mod tests;
