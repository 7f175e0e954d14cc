//! The thread that writes: changes first, then entries that are valid still.
//!
//! One thread, so that everything has one order. A change is noted after it can be seen, and an entry is found valid
//! before it is added: so whatever covers an entry stands behind it, or the entry is not there.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use super::{
    appender::Appender,
    batch::{Batch, Encoded, Place, encode},
    folder::{are_too_many, is_full},
    queue::{Offer, Work},
    record::{self, EntryHead, HEAD},
    shelf::Slot,
    state::{Disk, InUse, wall_clock},
};
use crate::{panic_guard, scope::ScopeHash, wire::Header};

/// After how long a disk that could not be written is tried again.
const PAUSE: Duration = Duration::from_secs(10);

/// After how long a full disk is tried again.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// How many records are collected before they are written, in bytes.
const AT_ONCE: usize = 256 << 10;

/// How many entries are forgotten while callers wait.
const FORGOTTEN_AT_ONCE: usize = 1 << 10;

pub(super) struct Writer {
    disk: Arc<Disk>,
    appender: Option<Appender>,
    /// The number of the newest segment that was begun: none comes twice.
    begun: u32,
    failed: Option<Failed>,
    /// There was no room for entries: none is tried before.
    full_until: Option<Instant>,
}

/// The disk could not be written.
struct Failed {
    /// Nothing is tried before.
    retry_at: Instant,
    /// Nothing is left there.
    cleared: bool,
}

/// Starts the thread; it ends when the queue is stopped, gives up the folder then, and closes the channel.
pub(super) fn start(disk: Arc<Disk>) -> io::Result<(ThreadId, Receiver<Infallible>)> {
    let (running, ended) = mpsc::channel();
    let writer = Writer { disk: disk.clone(), appender: None, begun: 0, failed: None, full_until: None };
    let thread = thread::Builder::new().name("larder-disk".to_owned()).spawn(move || {
        // In this order: the folder is free when the channel is closed.
        let (_running, _in_use) = (running, InUse(disk));
        writer.run();
    })?;
    Ok((thread.thread().id(), ended))
}

impl Writer {
    fn run(mut self) {
        loop {
            let waits = self.failed.as_ref().filter(|failed| !failed.cleared);
            let limit = waits.map(|failed| failed.retry_at.saturating_duration_since(Instant::now()));
            let work = self.disk.queue.take(limit);
            let stop = work.stop;
            // Code of users runs in there: a `Serialize`, a `Drop`, a subscriber.
            if panic_guard::contain(|| self.work(work)).is_none() {
                self.fail(&io::Error::other("the thread that writes panicked"), &[ScopeHash::ALL]);
            }
            if stop {
                break;
            }
        }
        if let Err(error) = self.make_safe() {
            self.disk.report_kept(&error);
        }
    }

    fn work(&mut self, Work { changes, entries, flush, .. }: Work) {
        if let Some(failed) = &self.failed {
            let cleared = failed.cleared;
            if Instant::now() < failed.retry_at {
                match cleared {
                    true => self.disk.queue.written(),
                    false => self.disk.queue.not_written(&changes),
                }
                self.disk.count_dropped(entries.len() as u64);
                flush.into_iter().for_each(|asked| self.disk.queue.flushed(asked, cleared));
                return;
            }
            // What is there cannot be trusted: changes were made that it knows nothing of.
            if !cleared && let Err(error) = self.begin_anew() {
                flush.into_iter().for_each(|asked| self.disk.queue.flushed(asked, false));
                return self.fail(&error, &changes);
            }
            self.failed = None;
        }
        match self.drop_local().and_then(|()| self.write_changes(&changes)) {
            Ok(()) => self.disk.queue.written(),
            Err(error) => self.fail(&error, &changes),
        }
        match self.write_entries(entries) {
            Ok(()) => {}
            // What is there is as good as before.
            Err(error) if are_too_many(&error) => self.disk.report_failure(&error),
            Err(error) if is_full(&error) => self.wait_for_room(),
            Err(error) => self.fail(&error, &[]),
        }
        if let Some(asked) = flush {
            let safe = self.make_safe();
            if let Err(error) = &safe {
                self.disk.report_kept(error);
            }
            self.disk.queue.flushed(asked, safe.is_ok());
        }
    }

    /// Something could not be written. What is on disk goes, since what is invalidated from here on cannot be told to it.
    fn fail(&mut self, error: &io::Error, changes: &[ScopeHash]) {
        self.disk.report_failure(error);
        let cleared = self.begin_anew().is_ok();
        self.failed = Some(Failed { retry_at: Instant::now() + PAUSE, cleared });
        match cleared {
            // There is nothing that they could cover.
            true => self.disk.queue.written(),
            false => self.disk.queue.not_written(changes),
        }
    }

    /// The disk is full: what is there stays, and what is invalidated finds room.
    fn wait_for_room(&mut self) {
        self.disk.report_full();
        self.full_until = Some(Instant::now() + FULL_PAUSE);
    }

    /// Removes everything.
    fn begin_anew(&mut self) -> io::Result<()> {
        self.appender = None;
        let all = self.disk.shelf().drop_all();
        drop(all);
        // What is there may be another one's.
        self.disk.folder.take_again()?;
        self.disk.folder.clear()
    }

    /// In which entries are dated now.
    fn order(&self) -> u64 {
        self.disk.binding().map_or(0, |binding| binding.order())
    }

    fn drop_local(&mut self) -> io::Result<()> {
        if self.disk.drop_local(self.order())? {
            self.appender.take_if(|open| open.order == 0);
        }
        Ok(())
    }

    fn write_changes(&mut self, changes: &[ScopeHash]) -> io::Result<()> {
        // Where nothing is, nothing is covered.
        if changes.is_empty() || self.disk.shelf().is_empty() {
            return Ok(());
        }
        let order = self.order();
        for changes in changes.chunks(record::MOST_SCOPES) {
            let mut records = Vec::with_capacity(HEAD + 8 * changes.len());
            record::put_changes(&mut records, changes);
            while let Err(error) = self.room_for(records.len(), order).and_then(|open| open.append(&records))
            {
                if !is_full(&error) || !self.drop_oldest()? {
                    return Err(error);
                }
                self.wait_for_room();
            }
        }
        if self.disk.boot.is_none()
            && let Some(appender) = &self.appender
        {
            appender.file.sync_data()?;
        }
        let mut shelf = self.disk.shelf();
        for change in changes.iter().filter(|change| !change.is_wide()) {
            shelf.remove(change.get());
        }
        if changes.contains(&ScopeHash::ALL) {
            shelf.clear_entries();
        }
        Ok(())
    }

    fn write_entries(&mut self, offers: Vec<Offer>) -> io::Result<()> {
        if self.failed.is_some() || self.full_until.is_some_and(|until| Instant::now() < until) {
            self.disk.count_dropped(offers.len() as u64);
            return Ok(());
        }
        let (mut batch, mut left) = (Batch::default(), offers.len());
        let added = offers.iter().try_for_each(|offer| {
            self.write_entry(offer, &mut batch)?;
            left -= 1;
            Ok(())
        });
        let written = added.and_then(|()| self.append(&mut batch));
        if written.is_err() {
            self.disk.count_dropped((left + batch.places.len()) as u64);
        }
        written
    }

    fn write_entry(&mut self, offer: &Offer, batch: &mut Batch) -> io::Result<()> {
        let Some(encoded) = encode(&self.disk, offer) else { return Ok(()) };
        let (core, group, order) = (&offer.binding.core, offer.entry.0.group, offer.binding.order());
        let length = HEAD + encoded.message.len();
        self.disk.queue.learn(group, length);
        if !Appender::fit_into(length, self.disk.limits.entry) {
            core.count_in(group, |counters| &counters.disk_dropped);
            return Ok(());
        }
        let together = batch.records.len() + length;
        let fits = |open: &Appender| open.order == order && open.fits(together);
        if together > AT_ONCE || !self.appender.as_ref().is_some_and(fits) {
            self.append(batch)?;
            self.room_for(length, order)?;
        }
        batch.add(&encoded, Some(group));
        Ok(())
    }

    /// Writes entries, which fit, and puts them where they are found.
    fn append(&mut self, Batch { records, places }: &mut Batch) -> io::Result<()> {
        let (Some(appender), false) = (&mut self.appender, records.is_empty()) else { return Ok(()) };
        let begin = appender.append(records)?;
        records.clear();
        let binding = self.disk.binding();
        let mut shelf = self.disk.shelf();
        for Place { offset, head, since, group } in places.drain(..) {
            let offset = begin + u32::try_from(offset).expect("it is within a segment");
            let EntryHead { length, expires, .. } = head;
            let slot = Slot { segment: appender.number, offset, length, expires, since: since.last_change() };
            shelf.put(head.key, slot, head.epoch);
            if let (Some(binding), Some(group)) = (&binding, group) {
                binding.core.count_in(group, |counters| &counters.disk_stores);
            }
        }
        Ok(())
    }

    /// The newest segment, with room for so many bytes, and with entries of this order.
    fn room_for(&mut self, length: usize, order: u64) -> io::Result<&mut Appender> {
        let fits = |open: &Appender| open.order == order && open.fits(length);
        if !self.appender.as_ref().is_some_and(fits) {
            self.begin_segment(order)?;
            self.make_room(order)?;
        }
        // What was kept of an old segment may have taken the room.
        if !self.appender.as_ref().is_some_and(fits) {
            self.begin_segment(order)?;
        }
        self.appender.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn begin_segment(&mut self, order: u64) -> io::Result<()> {
        self.complete(false)?;
        let appender = self.disk.begin_segment(order, self.begun)?;
        self.begun = appender.number;
        self.appender = Some(appender);
        Ok(())
    }

    fn complete(&mut self, clean: bool) -> io::Result<()> {
        let Some(appender) = self.appender.take() else { return Ok(()) };
        let number = appender.number;
        // Where no boot is told from another, a power cut is not noticed: what was invalidated has to outlive it. Later
        // changes are not in this file, and so it is not made safe with them.
        let length = appender.complete(clean, self.disk.boot.is_none())?;
        self.disk.shelf().set_length(number, length);
        Ok(())
    }

    /// Removes the oldest segments until all are within the capacity. Of what can be found in them, the valid entries are
    /// written again, unless that would be more than half of what there is room for.
    fn make_room(&mut self, order: u64) -> io::Result<()> {
        let mut kept = 0;
        loop {
            let (oldest, live) = {
                let shelf = self.disk.shelf();
                let Some(oldest) = shelf.oldest() else { return Ok(()) };
                // As much again for what is kept.
                if shelf.size() + self.disk.limits.segment <= self.disk.limits.capacity
                    || shelf.newest() == Some(oldest)
                {
                    return Ok(());
                }
                (oldest, shelf.live())
            };
            let mut keys = self.disk.shelf().take_keys(oldest);
            // In no order of theirs: if there are too many to keep, which of them go is left to chance.
            keys.sort_unstable();
            keys.dedup();
            if live <= self.disk.limits.capacity / 2 {
                for &key in &keys {
                    if kept > self.disk.limits.segment {
                        break;
                    }
                    kept += match self.keep((oldest, key), order) {
                        Err(error) if are_too_many(&error) || is_full(&error) => break,
                        kept => kept?,
                    };
                }
            }
            self.drop_segment(oldest, &keys)?;
        }
    }

    /// Removes the oldest segment, unless there is no other one.
    fn drop_oldest(&self) -> io::Result<bool> {
        let (oldest, keys) = {
            let mut shelf = self.disk.shelf();
            let newest = shelf.newest();
            let Some(oldest) = shelf.oldest().filter(|oldest| Some(*oldest) != newest) else {
                return Ok(false);
            };
            (oldest, shelf.take_keys(oldest))
        };
        self.drop_segment(oldest, &keys)?;
        Ok(true)
    }

    fn drop_segment(&self, number: u32, keys: &[u64]) -> io::Result<()> {
        // Callers wait for the shelf: some at a time.
        keys.chunks(FORGOTTEN_AT_ONCE).for_each(|keys| self.disk.shelf().forget(number, keys));
        let segment = self.disk.shelf().drop_segment(number);
        drop(segment);
        self.disk.folder.remove(number)
    }

    /// Writes an entry of this segment again; gives how many bytes that took.
    fn keep(&mut self, (segment, key): (u32, u64), order: u64) -> io::Result<u64> {
        let Some(binding) = self.disk.binding().filter(|binding| binding.order() == order) else {
            return Ok(0);
        };
        let since = binding.core.begin();
        let Some(found) = self.disk.shelf().find(key) else { return Ok(0) };
        if found.slot.segment != segment || found.slot.expires <= wall_clock() {
            return Ok(0);
        }
        let Ok((head, message)) = self.disk.read(&found.slot, found.file.as_ref()) else { return Ok(0) };
        let Ok(header) = Header::parse(&message, &self.disk.wire.limits) else { return Ok(0) };
        let scopes = &header.envelope.scopes;
        let judged = self.disk.judge(&binding, &found, &head, scopes);
        if !judged.is_some_and(|found| binding.core.epochs().is_current(scopes, found)) {
            return Ok(0);
        }
        if self.appender.as_ref().is_none_or(|open| !open.fits(HEAD + message.len())) {
            self.begin_segment(order)?;
        }
        let mut batch = Batch::default();
        batch.add(&Encoded { head, message, since }, None);
        let length = batch.records.len() as u64;
        self.append(&mut batch)?;
        Ok(length)
    }

    /// Makes all that was written safe from a power cut, and says so at the end of the newest segment.
    fn make_safe(&mut self) -> io::Result<()> {
        match &self.failed {
            Some(failed) if !failed.cleared => {
                return Err(io::Error::other("the disk could not be written before"));
            }
            _ if self.disk.shelf().is_empty() => return Ok(()),
            _ => {}
        }
        if self.appender.is_none() {
            if self.disk.is_safe() {
                return Ok(());
            }
            let order = self.order();
            self.begin_segment(order)?;
        }
        self.disk.sync()?;
        self.complete(true)?;
        self.disk.shelf().all_is_safe();
        self.disk.set_safe(true);
        Ok(())
    }
}
