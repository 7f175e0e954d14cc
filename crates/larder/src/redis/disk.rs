//! How entries on disk are judged in front of Redis: as those in Redis are.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::{RedisCache, log::RedisLog};
use crate::{
    clock::Moment,
    disk::SharedJudge,
    entry::Entry,
    epoch::{Epoch, Marked, ReadVersion},
    memory::MemoryCache,
    scope::ScopeHash,
};

/// The log of a cache.
#[derive(Debug)]
struct LogJudge {
    log: Arc<RedisLog>,
    id: u64,
}

impl RedisCache {
    /// Judges what a cache keeps on disk in front of this one. None if values are sealed in Redis: on disk they would not be.
    fn disk_judge(&self) -> Option<Arc<dyn SharedJudge>> {
        let remote = &self.remote;
        if remote.sealing.is_on() {
            return None;
        }
        // As logs are told apart in a process.
        let identity = format!("{}\n{}", remote.config.identity(), remote.config.prefix);
        Some(Arc::new(LogJudge { log: remote.log.clone(), id: xxh3_64(identity.as_bytes()).max(1) }))
    }
}

impl RedisCache {
    /// An empty memory with the settings of this one, for a cache in front of this; and its disk tier.
    pub(crate) fn behind_memory(&self, memory: &MemoryCache) -> MemoryCache {
        let (epochs, judge) = (self.core.epochs().clone(), self.disk_judge());
        if judge.is_none() && memory.has_disk() {
            crate::panic_guard::report!(
                warn,
                "the disk tier of a cache is not used: values are sealed in Redis, and on disk they would not be"
            );
        }
        match judge {
            Some(judge) => memory.anew_with_disk(epochs, judge),
            None => memory.anew(epochs),
        }
    }
}

impl SharedJudge for LogJudge {
    fn id(&self) -> u64 {
        self.id
    }

    /// As in Redis: that of a replacement is known when its invalidation was read back.
    fn epoch_of(&self, entry: &Entry) -> Option<Epoch> {
        let log = self.log.order();
        let epoch = match entry.0.announcement() {
            Some(announcement) => announcement.is_echoed().then(|| log.position()),
            None => entry.0.since().epoch_in(log),
        };
        epoch.filter(|epoch| *epoch != Epoch::ZERO)
    }

    fn newest_reset(&self) -> Option<Epoch> {
        self.log.order().newest_reset()
    }

    fn first_position(&self) -> Epoch {
        self.log.order().first_position()
    }

    fn judge(&self, scopes: &[ScopeHash], epoch: Epoch) -> Option<ReadVersion> {
        if epoch > self.log.order().latest_possible() {
            return None;
        }
        self.log.judge(scopes, epoch)
    }

    fn marked(&self, scopes: &[ScopeHash], epoch: Epoch, stored: Moment) -> Option<Marked> {
        self.log.marked(scopes, epoch, stored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RedisCache;

    #[tokio::test]
    async fn a_disk_tier_that_is_left_out_is_told_of() {
        larder_warnings::listen();
        let told = || larder_warnings::heard(&["disk tier", "is not used", "only in front of Redis"]).len();
        let redis = RedisCache::builder().url("redis://127.0.0.1:1").prefix("x").connect_lazily().unwrap();
        let followed = &redis.remote.followed;
        assert!(!followed.memory(&MemoryCache::new(10)).has_disk());
        assert_eq!(told(), 0);
        let folder = tempfile::tempdir().unwrap();
        let memory = MemoryCache::builder().disk(folder.path()).build().unwrap();
        assert!(!followed.memory(&memory).has_disk());
        assert_eq!(told(), 1);
    }
}
