//! The cache shows what waits.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{handle::WriteBehind, id::WriteId};
use crate::{
    cache::Cache,
    epoch::ReadVersion,
    error::Result,
    policy::Policy,
    read_through::{Wanted, full_key},
    typed::insert,
    value::Value,
};

impl<T: Value> WriteBehind<T> {
    /// Has the cache show a write that is acknowledged, unless a later one of its key is, or it is committed already: as a
    /// value that is as old as `since`, before the write. Where the commit of an earlier write came between, it is shown
    /// as one of a later moment in which it was still the last that waits.
    pub(super) async fn show(
        &self,
        cache: &dyn Cache,
        (id, cache_key, value): (WriteId, &str, &T),
        (since, committing): (ReadVersion, bool),
        policy: &Policy,
    ) -> Result<()> {
        /// So many commits of earlier writes may come between, one after the other.
        const TRIES: usize = 8;
        let key = full_key(cache, cache_key);
        let mut since = Some(since).filter(|_| !committing);
        for _ in 0..TRIES {
            if since.is_none() {
                self.wait_for_commit(cache_key).await;
            }
            let since = match since.take() {
                Some(since) => since,
                None => {
                    let since = cache.core().begin();
                    if !self.shared.store.is_last(cache_key, id).await? {
                        break;
                    }
                    since
                }
            };
            if insert::insert(cache, since, &[(&*key, value)], (policy, Wanted::shared::<T>(policy))).await? {
                break;
            }
        }
        Ok(())
    }

    /// Waits for the commit of an earlier write of this cache key, so that what it invalidates comes before what is
    /// inserted now. A consumer that died in between leaves its mark to the next one, and is not waited for.
    async fn wait_for_commit(&self, cache_key: &str) {
        const LONGEST: Duration = Duration::from_millis(250);
        let waiting = async {
            let mut pause = Duration::from_millis(1);
            while self.shared.store.is_committing(cache_key).await.unwrap_or(false) {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(20));
            }
        };
        // Where it takes longer, the entry may be dropped once more than it need be.
        _ = timeout(LONGEST, waiting).await;
    }
}
