//! The disk tier of a cache: what caches call.

use std::{
    convert::Infallible,
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use async_trait::async_trait;
use tokio::runtime::Handle;

use super::{
    binding::{Binding, SharedJudge},
    folder::Unusable,
    queue::Offer,
    settings::DiskSettings,
    start,
    state::{Disk, warn_of_failure},
    writer,
};
use crate::{
    cache_core::{Core, Lookup},
    entry::Entry,
    epoch::{Epoch, Journal},
    error::{Kind, Result},
    memory::persistent_tier::PersistentTier,
    panic_guard,
    scope::ScopeHash,
    sync::plain::{Mutex, lock},
    value::ValueType,
};

/// A folder in which a cache keeps entries beyond its process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DiskTier {
    open: Arc<Open>,
    binding: Arc<Binding>,
}

/// How long the last handle waits for what is still to be written. A disk may hang.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Ends the thread that writes, when the last handle is gone, and waits for that, but not for ever: the folder is free
/// when the thread has ended.
struct Open {
    disk: Arc<Disk>,
    writer: ThreadId,
    /// Closed when the writer has ended.
    ended: Mutex<Receiver<Infallible>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.disk.queue.stop();
        // What the writer drops may be the last handle.
        if self.writer == thread::current().id() {
            return;
        }
        if let Err(RecvTimeoutError::Timeout) = lock(&self.ended).recv_timeout(LAST_WORDS) {
            panic_guard::report!(
                warn,
                path = %self.disk.folder.path().display(),
                "the disk does not answer: what was not written is lost, and the folder stays in use until it does"
            );
        }
    }
}

impl DiskTier {
    /// Opens a folder for a cache. None if it cannot be used, which is logged.
    ///
    /// # Errors
    ///
    /// If another cache uses it.
    pub(crate) fn open(settings: &DiskSettings, core: &Core) -> Result<Option<Self>> {
        let path = settings.path.display();
        let failed = |error: &io::Error| {
            core.count(|counters| &counters.disk_failures);
            warn_of_failure(&settings.path, error);
        };
        let disk = match start::open(settings) {
            Ok(disk) => Arc::new(disk),
            Err(Unusable::InUse) => {
                let text = format!(
                    "{path} is in use by another cache, of this process or of another one: a disk tier needs a folder of its own"
                );
                return Err(Kind::configuration(text).into());
            }
            Err(Unusable::Io(error)) => {
                failed(&error);
                return Ok(None);
            }
        };
        match writer::start(disk.clone()) {
            Ok((writer, ended)) => {
                let open = Arc::new(Open { disk, writer, ended: Mutex::new(ended) });
                Ok(Some(Self::bind(open, core, None)))
            }
            Err(error) => {
                failed(&error);
                Ok(None)
            }
        }
    }

    /// The same folder, for another cache from here on: the one that had it finds nothing there any more.
    pub(crate) fn rebind(&self, core: &Core, judge: Option<Arc<dyn SharedJudge>>) -> Self {
        Self::bind(self.open.clone(), core, judge)
    }

    fn bind(open: Arc<Open>, core: &Core, judge: Option<Arc<dyn SharedJudge>>) -> Self {
        let disk = &open.disk;
        let journal: Weak<dyn Journal> = Arc::downgrade(disk) as Weak<dyn Journal>;
        core.epochs().write_down(journal);
        let highest = judge.as_ref().map_or(0, |judge| disk.shelf().highest_of(judge.id()));
        let highest = Epoch::from_number(highest);
        let binding = Arc::new(Binding::new(core, judge, highest));
        *lock(&disk.binding) = Some(binding.clone());
        Self { open, binding }
    }

    fn disk(&self) -> &Arc<Disk> {
        &self.open.disk
    }

    /// Reads on a thread where waiting holds up no one; nothing if that takes too long.
    async fn find(&self, there: Vec<(usize, String, u64)>, of: ValueType) -> Vec<(usize, Option<Entry>)> {
        let (disk, binding) = (self.disk().clone(), self.binding.clone());
        let (awaited, under_way) = disk.late_reads.begin();
        let find = move || {
            let find = |(index, key, hash): (usize, String, u64)| {
                let entry = disk.find(&binding, (&key, hash), of);
                under_way.step();
                (index, entry)
            };
            there.into_iter().map(find).collect::<Vec<_>>()
        };
        let Ok(runtime) = Handle::try_current() else { return find() };
        match awaited.wait(runtime.spawn_blocking(find)).await {
            // A runtime that is shutting down finds nothing.
            Some(found) => found.unwrap_or_default(),
            None => {
                self.disk().report_failure(&io::Error::new(io::ErrorKind::TimedOut, "a read takes too long"));
                Vec::new()
            }
        }
    }
}

#[async_trait]
impl PersistentTier for DiskTier {
    async fn read(&self, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        let mut entries = vec![None; keys.len()];
        if !self.disk().is_bound(&self.binding) {
            return entries;
        }
        let mut there = Vec::new();
        {
            let shelf = self.disk().shelf();
            for (index, at) in keys.iter().enumerate() {
                if shelf.contains(ScopeHash::key(at.key).get()) {
                    there.push((index, at.key.to_owned(), at.hash));
                }
            }
        }
        let absent = (keys.len() - there.len()) as u64;
        let statistics = self.binding.core.statistics();
        statistics.add_in(of.group, |counters| &counters.disk_misses, absent);
        if there.is_empty() {
            return entries;
        }
        if self.disk().late_reads.any() {
            statistics.add_in(of.group, |counters| &counters.disk_misses, there.len() as u64);
            return entries;
        }
        for (index, entry) in self.find(there, of).await {
            entries[index] = entry;
        }
        entries
    }

    fn offer(&self, entries: &[Entry]) {
        let offers = entries.iter().filter(|entry| is_portable(entry)).filter_map(|entry| {
            let (epoch, reset) = match &self.binding.judge {
                None => (Epoch::ZERO, Epoch::ZERO),
                Some(judge) => (judge.epoch_of(entry)?, judge.newest_reset().unwrap_or_default()),
            };
            Some(Offer { entry: entry.clone(), epoch, reset, binding: self.binding.clone() })
        });
        let refused = self.disk().queue.offer(offers.collect::<Vec<_>>());
        self.binding.core.statistics().add(|counters| &counters.disk_dropped, refused);
    }

    async fn settle(&self, entries: &[Entry]) {
        let last = entries.iter().map(|entry| entry.0.since().last_change()).max();
        if let Some(last) = last.filter(|last| !self.disk().queue.is_written(*last)) {
            self.disk().queue.wait_until_written(last).await;
        }
    }

    fn is_written(&self) -> bool {
        self.disk().queue.is_written(self.binding.core.begin().last_change())
    }

    fn wait_until_written(&self) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let (disk, last) = (self.disk().clone(), self.binding.core.begin().last_change());
        Box::pin(async move { disk.queue.wait_until_written(last).await })
    }

    async fn persist(&self, limit: Duration) -> bool {
        self.disk().queue.flush(limit).await
    }
}

/// Whether an entry may leave the process at all.
fn is_portable(entry: &Entry) -> bool {
    let stored = &entry.0;
    !stored.is_local()
        && !stored.is_marked()
        && !stored.is_unshared()
        && stored.foreign_dependencies().is_empty()
        && stored.portable().is_some()
}

impl fmt::Debug for DiskTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DiskTier").field(self.disk()).finish()
    }
}
