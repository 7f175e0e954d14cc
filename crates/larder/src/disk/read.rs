//! Reading an entry.

use std::{fs::File, io, sync::Arc};

use super::{
    binding::Binding,
    record::{EntryHead, HEAD, Head, digest},
    shelf::{Found, Slot},
    state::{Disk, wall_clock},
};
use crate::{
    cache_core::Core,
    entry::{Entry, sharing::Received},
    epoch::Epoch,
    scope::ScopeHash,
    value::ValueType,
    wire::{Header, Rejected},
};

/// Why an entry is not taken over.
enum NotTaken {
    /// Something that covers it was invalidated, or cannot be proved not to have been.
    Invalid,
    Expired,
    Rejected(Rejected),
    Failed(io::Error),
    /// Its segment went while it was looked for.
    Gone,
}

impl From<Rejected> for NotTaken {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl Disk {
    /// The entry under a key, if there is a valid one; counted either way. Waits for the disk.
    pub(super) fn find(&self, binding: &Binding, (key, hash): (&str, u64), of: ValueType) -> Option<Entry> {
        let core = &binding.core;
        let scope = ScopeHash::key(key).get();
        let found = self.shelf().find(scope);
        let taken = found.map(|found| {
            let taken = self.try_find(binding, &found, (key, hash), of);
            if let Err(NotTaken::Expired | NotTaken::Rejected(Rejected::Checksum)) = taken {
                self.shelf().remove_if(scope, &found.slot);
            }
            taken
        });
        let entry = match taken {
            None | Some(Err(NotTaken::Expired | NotTaken::Gone)) => None,
            Some(Ok(entry)) => Some(entry),
            Some(Err(NotTaken::Invalid)) => {
                core.count_in(of.group, |counters| &counters.invalidated_reads);
                None
            }
            Some(Err(NotTaken::Rejected(rejected))) => {
                core.count_in(of.group, |counters| &counters.disk_rejected);
                crate::panic_guard::report!(debug, key, %rejected, wanted = of.name(), "what is on disk is not accepted");
                None
            }
            Some(Err(NotTaken::Failed(error))) => {
                self.report_failure(&error);
                None
            }
        };
        core.count_in(of.group, |counters| match entry {
            Some(_) => &counters.disk_hits,
            None => &counters.disk_misses,
        });
        entry
    }

    fn try_find(
        &self,
        binding: &Binding,
        found: &Found,
        (key, hash): (&str, u64),
        of: ValueType,
    ) -> Result<Entry, NotTaken> {
        let core: &Core = &binding.core;
        if found.slot.expires <= wall_clock() {
            return Err(NotTaken::Expired);
        }
        let (head, message) = self.read(&found.slot, found.file.as_ref()).map_err(|error| {
            match self.shelf().has(found.slot.segment) {
                true => NotTaken::Failed(error),
                false => NotTaken::Gone,
            }
        })?;
        if head.digest != digest(key) {
            return Err(Rejected::Header.into());
        }
        let header = Header::parse(&message, &self.wire.limits)?;
        let envelope = &header.envelope;
        let epoch = Epoch::from_number(head.epoch);
        if !envelope.scopes.contains(&ScopeHash::key(key)) || envelope.epoch != epoch {
            return Err(Rejected::Header.into());
        }
        let since = self.judge(binding, found, &head, &envelope.scopes).ok_or(NotTaken::Invalid)?;
        let (now, remaining) = (core.now(), envelope.times.remaining(wall_clock()));
        let (value, value_type) = self.wire.value(of, &header, &message)?;
        let life = remaining.life(now).in_memory(now, of.memory_limit());
        let scopes = header.envelope.scopes;
        let marked = binding.judge.as_ref().and_then(|judge| judge.marked(&scopes, epoch, life.stored));
        let cost = core.statistics().usual_cost(of.group);
        let received = Received { is_from_disk: true, since, life, marked, scopes, value, value_type, cost };
        Ok(Entry::received((key.into(), hash), received))
    }

    /// An entry's head and its message.
    pub(super) fn read(&self, slot: &Slot, file: Option<&Arc<File>>) -> io::Result<(EntryHead, Vec<u8>)> {
        let file = file.cloned().map_or_else(|| self.file(slot.segment), Ok)?;
        let mut record = vec![0; HEAD + slot.length as usize];
        read_at(&file, &self.folder.path_of(slot.segment), &mut record, slot.offset.into())?;
        let message = record.split_off(HEAD);
        match Head::parse(record[..].try_into().expect("as long as a head")) {
            Some(Head::Entry(head)) if head.length == slot.length => Ok((head, message)),
            // It was there when it was looked for.
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "what was written there is not there any more",
            )),
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, _: &std::path::Path, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;

    file.read_exact_at(bytes, offset)
}

/// By a handle of its own: the other one has a place where it writes.
#[cfg(not(unix))]
fn read_at(_: &File, path: &std::path::Path, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};

    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}
