//! The queue, for those who write.

use std::{
    borrow::Borrow,
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    dead_letters::DeadLetter,
    id::WriteId,
    queue_state::{Phase, Shared},
    stats::WriteBehindStats,
    store::QueueDepth,
};
use crate::{
    clock::instant_after,
    error::{Kind, Result},
    key,
    policy::into_policy::IntoPolicy,
    read_through::full_key,
    value::Value,
};

/// A queue of writes on their way to the database; made by
/// [`WriteBehind::builder`](crate::write_behind::WriteBehind::builder). Cheap to clone; clones are the same queue.
///
/// When the last clone is dropped, the consumer ends: at once on Redis, where the next one goes on, and in memory once all is written. A
/// program calls [`stop`](Self::stop) before it ends. The consumer runs in the runtime in which the queue was started, and ends
/// with that too: from then on a queue in memory takes nothing, and one on Redis has other processes, or a queue that is
/// started anew, write what it takes.
pub struct WriteBehind<T> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) control: Arc<Control>,
}

/// What a consumer is asked to do.
pub(super) struct Control {
    pub(super) phase: watch::Sender<Phase>,
    /// None where other processes consume.
    pub(super) consumer: Option<Running>,
}

/// The consumer of this process, for all who wait for its end.
pub(super) struct Running {
    task: AbortHandle,
    /// Closed when the task is gone, whatever ended it.
    end: watch::Receiver<()>,
}

impl Running {
    pub(super) fn spawn(runtime: &Handle, run: impl Future<Output = ()> + Send + 'static) -> Self {
        let (running, end) = watch::channel(());
        let task = runtime.spawn(async move {
            let _running = running;
            run.await;
        });
        Self { task: task.abort_handle(), end }
    }

    /// Also if its runtime has.
    pub(super) fn has_ended(&self) -> bool {
        self.end.has_changed().is_err()
    }

    async fn ended(&self) {
        let mut end = self.end.clone();
        while end.changed().await.is_ok() {}
    }
}

impl<T> Clone for WriteBehind<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), control: self.control.clone() }
    }
}

impl<T> fmt::Debug for WriteBehind<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBehind")
            .field("name", &self.shared.options.name)
            .field("stats", &self.shared.figures.all())
            .finish_non_exhaustive()
    }
}

impl<T: Value> WriteBehind<T> {
    /// Takes a write. `Ok` is the acknowledgement: on Redis the write is in the queue's stream, and as safe as what that
    /// Redis acknowledges; in memory it lives as long as the process. It reaches the database at least once, after all
    /// earlier writes of its key.
    ///
    /// One round trip on Redis. Two writes under way at once are in the order in which Redis takes them: await the
    /// first where their order matters. If the future is dropped, the write may be in the queue or not.
    ///
    /// # Errors
    ///
    /// If the key is empty or too long, or the value cannot be encoded; if the queue is full
    /// ([`is_queue_full`](crate::Error::is_queue_full)) or stopped, which one in memory is too once its consumer's runtime has
    /// ended; if Redis could not be asked within its deadline or refuses
    /// ([`is_unavailable`](crate::Error::is_unavailable)). The last is no proof that the write is not in the queue: it is not
    /// acknowledged, and may be written all the same.
    pub async fn write(&self, key: &str, value: &T) -> Result<WriteId> {
        let (ids, _) = self.append(&[self.draft(key, value, None)?], 0).await?;
        Ok(only(&ids))
    }

    /// The same for a value that is shown by the cache under `cache_key`: once it is acknowledged the cache has it, as
    /// [`insert`](crate::CacheExt::insert) says, in every process. When it is in the database, or given up, the key is
    /// invalidated once more, unless a later write of it waits: what others computed in between from the old row is
    /// dropped everywhere, and the next read finds what the database has.
    ///
    /// While the write waits, a reader that does not find the entry (it was evicted, its `ttl` is over, or another process
    /// asks before the entry is in Redis) computes from the old row, and that is shown until the commit. So choose a `ttl`
    /// that is longer than writes wait. A store without a log (`larder-memcached`) cannot prove a value that was at hand before
    /// this call: there the write is not shown, and what was under the key is dropped. A write that is acknowledged so late that a later one of its key is, or that it is
    /// committed already, is not shown. Where the key was invalidated meanwhile, that is two more round trips.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); and if the cache key is empty or too long, or the queue was built without a cache.
    pub async fn write_cached(
        &self,
        key: &str,
        value: &T,
        cache_key: &str,
        policy: impl IntoPolicy,
    ) -> Result<WriteId> {
        let policy = policy.into_policy();
        let options = &self.shared.options;
        let Some(cache) = options.cache.as_deref() else {
            let text = format!(
                "the queue {:?} has no cache to show a write in: name one with `cache` or `tiered` where it is built",
                options.name
            );
            return Err(Kind::configuration(text).into());
        };
        // In a namespace the full key is never empty, and a queue takes an empty one for none.
        key::check(cache_key)?;
        key::check(&full_key(cache, cache_key))?;
        let since = cache.core().begin();
        let (ids, committing) = self.append(&[self.draft(key, value, Some(cache_key))?], 0).await?;
        let write = (only(&ids), cache_key, value);
        if let Err(error) = self.show(cache, write, (since, committing), policy.borrow()).await {
            // The invalidation took place, and the write is acknowledged: the next read computes.
            crate::panic_guard::report!(debug, key = cache_key, %error, "an acknowledged write is not shown by the cache");
        }
        Ok(only(&ids))
    }

    /// Waits until every write that is in the queue now is in the database or given up, for `limit` at most, and says
    /// whether it is. The consumer of this process writes at once meanwhile; others go on as they do. Dropping the
    /// future changes nothing.
    ///
    /// # Errors
    ///
    /// If Redis cannot be asked.
    pub async fn flush(&self, limit: Duration) -> Result<bool> {
        let end = Instant::from(instant_after(limit));
        let Some(newest) = self.shared.store.newest().await? else { return Ok(true) };
        let _hurry = self.hurry();
        let mut pause = Duration::from_millis(1);
        loop {
            if self.shared.store.oldest().await?.is_none_or(|oldest| oldest > newest) {
                return Ok(true);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
            sleep(pause.min(end.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn hurry(&self) -> Hurry<'_, T> {
        self.shared.hurries.fetch_add(1, Relaxed);
        self.shared.wake.notify_one();
        Hurry(&self.shared)
    }

    /// Takes no more writes through any clone of this handle, writes what there is if this process consumes, and ends the
    /// consumer; another process may take its place at once. Takes `limit` at most, then what is under way is broken
    /// off; a sink that blocks its thread is waited for for one more second, and if it runs on then, another process takes the
    /// place once the lease is over ([`takeover_after`](crate::write_behind::WriteBehindBuilder::takeover_after)). Says how many writes still wait: on Redis they are safe, and include those of other processes. Dropping the
    /// future leaves the consumer to end by itself; another call waits for that, and breaks it off after its own `limit`.
    ///
    /// # Errors
    ///
    /// If Redis cannot be asked how many wait. The consumer has ended then too.
    pub async fn stop(&self, limit: Duration) -> Result<u64> {
        /// A sink that was broken off has so long to end, before this returns without its end.
        const LAST: Duration = Duration::from_secs(1);
        // First, so that a consumer which is told to end finds all that was acknowledged.
        self.shared.store.close();
        self.control.phase.send_if_modified(|phase| {
            let is_first = *phase == Phase::Running;
            if is_first {
                *phase = Phase::Draining;
            }
            is_first
        });
        if let Some(consumer) = &self.control.consumer
            && timeout(limit, consumer.ended()).await.is_err()
        {
            self.control.phase.send_replace(Phase::Over);
            consumer.task.abort();
            // It is gone once this returns, and the lease is no longer renewed.
            consumer.ended().await;
            self.shared.figures.consuming.store(0, Relaxed);
            // The next consumer would write beside it, and it behind that: then the lease ends by itself.
            if timeout(LAST, self.shared.at_sink.lock()).await.is_ok() {
                self.shared.store.release().await;
            }
        }
        Ok(self.shared.store.depth().await?.waiting)
    }

    /// What this process did so far.
    #[must_use]
    pub fn stats(&self) -> WriteBehindStats {
        self.shared.figures.all()
    }

    /// How much is in the queue, of all processes.
    ///
    /// # Errors
    ///
    /// If Redis cannot be asked.
    pub async fn depth(&self) -> Result<QueueDepth> {
        self.shared.store.depth().await
    }

    /// The oldest dead letters, up to `limit` of them.
    ///
    /// # Errors
    ///
    /// If Redis cannot be asked.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter<T>>> {
        self.shared.store.dead(limit).await
    }

    /// Appends dead letters to the queue again, as new writes: after all that was written since, of their keys too. Says how many of them
    /// were there.
    ///
    /// After [`stop`](Self::stop) it does so too on Redis, for the next process that consumes; in memory there is none, and
    /// it is an error.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::write_behind::WriteBehind;
    /// # async fn replay(queue: &WriteBehind<String>) -> larder::Result<()> {
    /// let letters = queue.dead_letters(100).await?;
    /// let ids: Vec<_> = letters.iter().filter(|letter| letter.reason.contains("timeout")).map(|letter| letter.id).collect();
    /// queue.replay(&ids).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If Redis cannot be asked, or is full: each of them is moved or not, and none is lost. If a queue in memory is stopped
    /// ([`is_queue_stopped`](crate::Error::is_queue_stopped)): they stay dead letters.
    pub async fn replay(&self, ids: &[WriteId]) -> Result<u64> {
        let mut count = 0;
        for ids in ids.chunks(AT_ONCE) {
            count += self.shared.store.replay(ids).await?.ok_or_else(|| self.stopped())?;
        }
        Ok(count)
    }

    /// Deletes dead letters for good. Says how many of them were there.
    ///
    /// # Errors
    ///
    /// If Redis cannot be asked.
    pub async fn discard(&self, ids: &[WriteId]) -> Result<u64> {
        let mut count = 0;
        for ids in ids.chunks(AT_ONCE) {
            count += self.shared.store.discard(ids).await?;
        }
        Ok(count)
    }
}

/// Dead letters in one call of the server.
const AT_ONCE: usize = 500;

/// The ID of one write that was kept.
fn only(ids: &[WriteId]) -> WriteId {
    ids.first().copied().unwrap_or_default()
}

/// Has the consumer write at once while it lives.
struct Hurry<'s, T>(&'s Shared<T>);

impl<T> Drop for Hurry<'_, T> {
    fn drop(&mut self) {
        self.0.hurries.fetch_sub(1, Relaxed);
    }
}
