//! A memory cache with a disk tier behind it.

use std::{any::Any, path::PathBuf, sync::Arc};

use super::{
    MemoryCache,
    builder::MemoryCacheBuilder,
    persistent_tier::{OpenPersistentTier, PersistentTier},
};
use crate::{
    cache_core::Core,
    disk::{DiskSettings, DiskTier, LEAST_CAPACITY, SharedJudge},
    epoch::Epochs,
    error::{Kind, Result},
};

impl MemoryCacheBuilder {
    /// Keeps entries in a folder too, beyond the capacity of the memory and beyond the end of the process: one that begins
    /// anew finds them, but for what was invalidated. The folder is made if it is not there; it belongs to this cache alone,
    /// and to one process at a time. See [the guide](crate::guide::disk) for what is promised, and what it costs.
    ///
    /// In front of Redis ([`TieredCache::new`](crate::TieredCache::new)) the disk lies between memory and Redis.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::{CacheExt, MemoryCache, Policy};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> larder::Result<()> {
    /// # let folder = std::env::temp_dir().join(format!("larder-{}", std::process::id()));
    /// # let path = folder.to_str().unwrap();
    /// let policy = Policy::ttl(Duration::from_secs(3_600));
    /// let cache = MemoryCache::builder().disk(path).build()?;
    /// cache.insert("report:7", &"long".to_owned(), &policy).await?;
    /// cache.insert("report:8", &"short".to_owned(), &policy).await?;
    /// cache.invalidate("report:8").await;
    /// drop(cache);
    ///
    /// let cache = MemoryCache::builder().disk(path).build()?;
    /// assert_eq!(cache.get::<String>("report:7").await?.as_deref(), Some("long"));
    /// assert_eq!(cache.get::<String>("report:8").await?, None);
    /// # drop(cache);
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "disk")))]
    pub fn disk(mut self, path: impl Into<PathBuf>) -> Self {
        let disk = self.disk_settings();
        self.disk = Some(Arc::new(DiskSettings { path: path.into(), ..disk }));
        self
    }

    /// The most that a [`disk`](Self::disk) tier takes, in bytes: 1 GiB by default, and at least 1 MiB. A value is kept there if
    /// it takes less than a sixteenth of that, and less than 16 MiB.
    #[cfg_attr(docsrs, doc(cfg(feature = "disk")))]
    pub fn disk_capacity(mut self, bytes: u64) -> Self {
        let disk = self.disk_settings();
        self.disk = Some(Arc::new(DiskSettings { capacity: bytes, ..disk }));
        self
    }

    fn disk_settings(&self) -> DiskSettings {
        let settings = self.disk.as_deref().map(|disk| disk as &dyn Any);
        settings.and_then(|disk| disk.downcast_ref::<DiskSettings>()).cloned().unwrap_or_default()
    }
}

impl OpenPersistentTier for DiskSettings {
    fn open(&self, core: &Core) -> Result<Option<Arc<dyn PersistentTier>>> {
        if self.path.as_os_str().is_empty() {
            let text = "`disk_capacity` was set without a folder, or with an empty one: call `disk`";
            return Err(Kind::configuration(text).into());
        }
        if self.capacity < LEAST_CAPACITY {
            let text =
                format!("`disk_capacity` is {}; at least 1 MiB ({LEAST_CAPACITY}) is needed", self.capacity);
            return Err(Kind::configuration(text).into());
        }
        let disk = DiskTier::open(self, core)?;
        Ok(disk.map(|disk| Arc::new(disk) as Arc<dyn PersistentTier>))
    }
}

impl MemoryCache {
    pub(crate) fn has_disk(&self) -> bool {
        self.tier.disk().is_some()
    }

    /// An empty cache with the same settings and the same disk tier, whose entries there are judged as others are that
    /// processes share.
    pub(crate) fn anew_with_disk(&self, epochs: Arc<Epochs>, judge: Arc<dyn SharedJudge>) -> Self {
        let memory = self.anew(epochs);
        let disk = self.tier.disk().map(|disk| disk as &dyn Any);
        let Some(disk) = disk.and_then(|disk| disk.downcast_ref::<DiskTier>()) else { return memory };
        let disk = disk.rebind(&memory.tier.core, Some(judge));
        Self { tier: memory.tier.in_front_of(Some(Arc::new(disk))) }
    }
}
