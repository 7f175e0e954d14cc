//! A disk that is open: what the thread that writes and all who read share.

use std::{
    fmt,
    fs::File,
    io,
    path::Path,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    appender::Appender,
    binding::Binding,
    folder::{Folder, are_too_many, is_full},
    late_reads::LateReads,
    queue::Queue,
    record::{Boot, EntryHead},
    shelf::{Found, Segment, Shelf},
};
use crate::{
    epoch::{Epoch, Journal, PastChanges, ReadVersion},
    scope::ScopeHash,
    sync::plain::{Mutex, lock},
    wire::Wire,
};

/// In bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) capacity: u64,
    /// Of one segment.
    pub(super) segment: u64,
    /// Of one entry.
    pub(super) entry: u64,
}

/// What the thread that writes and all who read share.
pub(super) struct Disk {
    pub(super) folder: Folder,
    pub(super) limits: Limits,
    pub(super) wire: Wire,
    pub(super) queue: Queue,
    pub(super) shelf: Mutex<Shelf>,
    pub(super) past: PastChanges,
    pub(super) boot: Option<Boot>,
    pub(super) binding: Mutex<Option<Arc<Binding>>>,
    /// All that was written is safe from a power cut.
    pub(super) safe: AtomicBool,
    pub(super) warned: AtomicBool,
    pub(super) warned_of_full: AtomicBool,
    pub(super) late_reads: LateReads,
}

/// Frees the folder when the thread that writes ends, however it does.
pub(super) struct InUse(pub(super) Arc<Disk>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.folder.give_up();
    }
}

impl Disk {
    pub(super) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        lock(&self.shelf)
    }

    /// The file of a segment.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub(super) fn file(&self, segment: u32) -> io::Result<Arc<File>> {
        let open = self.shelf().file(segment);
        if let Some(file) = open {
            return Ok(file);
        }
        let open = || self.folder.open_segment(segment);
        let file = open().or_else(|error| {
            if !are_too_many(&error) {
                return Err(error);
            }
            self.close_files();
            open()
        });
        let file = Arc::new(file?);
        let closed = self.shelf().keep_open(segment, file.clone());
        drop(closed);
        Ok(file)
    }

    /// Begins the segment behind all others; none has a number up to this one again.
    pub(super) fn begin_segment(&self, order: u64, begun: u32) -> io::Result<Appender> {
        let newest = self.shelf().newest().max(self.folder.newest()).unwrap_or(0).max(begun);
        let (size, boot) = (self.limits.segment, self.boot.unwrap_or_default());
        let begin = || Appender::begin(&self.folder, newest + 1, size, order, boot);
        let appender = begin().or_else(|error| {
            if !are_too_many(&error) {
                return Err(error);
            }
            self.close_files();
            begin()
        })?;
        let closed = {
            let mut shelf = self.shelf();
            shelf.add_segment(appender.number, Segment::new(size, order));
            shelf.keep_open(appender.number, appender.file.clone())
        };
        drop(closed);
        self.set_safe(false);
        Ok(appender)
    }

    /// Makes all that was written so far safe from a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        let segments = self.shelf().unsafe_yet();
        segments.into_iter().try_for_each(|segment| self.file(segment)?.sync_data())
    }

    /// In a shared order, drops what is dated in that of one process, and what is older: what others invalidate while this
    /// process is down is not told to it, and a later process may have no shared order again. Whether there was any.
    pub(super) fn drop_local(&self, order: u64) -> io::Result<bool> {
        let newest = self.shelf().newest_local();
        let Some(newest) = newest.filter(|_| order != 0) else { return Ok(false) };
        self.shelf().drop_through(newest);
        self.folder.remove_through(newest)?;
        Ok(true)
    }

    /// Closes what is open only because it may be read again.
    pub(super) fn close_files(&self) {
        let closed = self.shelf().close_all();
        drop(closed);
    }

    pub(super) fn binding(&self) -> Option<Arc<Binding>> {
        lock(&self.binding).clone()
    }

    pub(super) fn is_bound(&self, binding: &Arc<Binding>) -> bool {
        lock(&self.binding).as_ref().is_some_and(|bound| Arc::ptr_eq(bound, binding))
    }

    pub(super) fn is_safe(&self) -> bool {
        self.safe.load(Ordering::Relaxed)
    }

    pub(super) fn set_safe(&self, safe: bool) {
        self.safe.store(safe, Ordering::Relaxed);
    }

    /// Whether, and since when, an entry under these scopes may be valid. In local order that is for the caller to find out.
    pub(super) fn judge(
        &self,
        binding: &Binding,
        &Found { slot, order, .. }: &Found,
        head: &EntryHead,
        scopes: &[ScopeHash],
    ) -> Option<ReadVersion> {
        let since = slot.since();
        if order != binding.order() || (since.is_none() && !self.past.none_after(scopes, slot.position())) {
            return None;
        }
        match &binding.judge {
            None => Some(since.unwrap_or(binding.since)),
            Some(judge) if since.is_none() && !binding.continues(&**judge, head) => None,
            Some(judge) => judge.judge(scopes, Epoch::from_number(head.epoch)),
        }
    }

    pub(super) fn count_dropped(&self, entries: u64) {
        if let Some(binding) = self.binding() {
            binding.core.statistics().add(|counters| &counters.disk_dropped, entries);
        }
    }

    /// Counts that the disk is full; the first time, says so.
    pub(super) fn report_full(&self) {
        self.count_failure();
        if !self.warned_of_full.swap(true, Ordering::Relaxed) {
            crate::panic_guard::report!(
                warn,
                path = %self.folder.path().display(),
                "the disk of a cache's disk tier is full: what is there is used on, and no more entries are written until there \
                 is room (said once for each cache; counted as `disk_failures`, and what is not written as `disk_dropped`)"
            );
        }
    }

    /// Counts that the disk could not be written, where what is there is as good as before.
    pub(super) fn report_kept(&self, error: &io::Error) {
        match is_full(error) {
            true => self.report_full(),
            false => self.report_failure(error),
        }
    }

    fn count_failure(&self) {
        if let Some(binding) = self.binding() {
            binding.core.count(|counters| &counters.disk_failures);
        }
    }

    /// Counts that the disk could not be read or written; the first time, says so.
    pub(super) fn report_failure(&self, error: &io::Error) {
        self.count_failure();
        if !self.warned.swap(true, Ordering::Relaxed) {
            warn_of_failure(self.folder.path(), error);
        }
    }
}

/// The cache goes on without.
pub(super) fn warn_of_failure(path: &Path, error: &io::Error) {
    crate::panic_guard::report!(
        warn,
        path = %path.display(),
        %error,
        "the disk tier of a cache cannot be used: the cache goes on without it, and what is invalidated meanwhile is not \
         kept in mind for the next start (said once for each cache; counted as `disk_failures`)"
    );
}

impl Journal for Disk {
    fn note(&self, scopes: &[ScopeHash], number: u64) {
        self.queue.note(scopes, number);
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The time by which entries on disk are dated: in milliseconds since 1970.
pub(super) fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
