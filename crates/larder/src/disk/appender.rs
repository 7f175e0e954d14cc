//! Adding records to the newest segment.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    sync::Arc,
};

use super::{
    folder::Folder,
    record::{Boot, HEAD, Head},
};

/// A segment that records are added to.
#[derive(Debug)]
pub(super) struct Appender {
    pub(super) number: u32,
    pub(super) order: u64,
    pub(super) file: Arc<File>,
    /// Where its records end.
    end: u64,
    size: u64,
}

impl Appender {
    /// Begins a segment.
    pub(super) fn begin(folder: &Folder, number: u32, size: u64, order: u64, boot: Boot) -> io::Result<Self> {
        let head = Head::Segment { number: number.into(), size, order, boot }.to_bytes();
        let file = folder.create(number, size, &head)?;
        Ok(Self { number, order, file: Arc::new(file), end: HEAD as u64, size })
    }

    /// Whether so many bytes fit into it, and what it ends with.
    pub(super) fn fits(&self, length: usize) -> bool {
        self.end + length as u64 + HEAD as u64 <= self.size
    }

    /// Whether so many bytes fit into an empty segment of this size.
    pub(super) const fn fit_into(length: usize, size: u64) -> bool {
        length as u64 + 2 * HEAD as u64 <= size
    }

    /// Adds records that fit, and gives where they begin. When it returns they outlive the process. If it fails, nothing is left of
    /// them.
    pub(super) fn append(&mut self, records: &[u8]) -> io::Result<u32> {
        let begin = self.end;
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(begin))?;
        if let Err(error) = file.write_all(records) {
            // It takes room, and would stand behind what is written next.
            file.set_len(begin)?;
            file.set_len(self.size)?;
            return Err(error);
        }
        self.end += records.len() as u64;
        Ok(u32::try_from(begin).expect("a segment is shorter than 4 GiB"))
    }

    /// Ends the segment, and gives the length of its file. What was noted as clean, or has to be, is safe from a power cut.
    pub(super) fn complete(mut self, clean: bool, safe: bool) -> io::Result<u64> {
        self.append(&Head::End { clean }.to_bytes())?;
        self.file.set_len(self.end)?;
        if clean || safe {
            self.file.sync_all()?;
        }
        Ok(self.end)
    }
}
