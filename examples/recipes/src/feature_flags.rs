//! A client of feature flags: a call costs a hit in memory, a change arrives at once, and while the service that knows them
//! is away what was known last is true.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use anyhow::Result;
use larder::{
    Cache, CacheExt as _, Policy,
    events::{Consumers, Event, Events},
};
use serde::{Deserialize, Serialize};

const KEY: &str = "flags";

/// For how many of a hundred users each flag is on.
pub type Flags = HashMap<String, u8>;

/// Published by the service after a change.
#[derive(Clone, Serialize, Deserialize)]
pub struct FlagsChanged;

impl Event for FlagsChanged {
    const NAME: &str = "flags_changed";
}

/// Fetches all flags from the service.
pub trait Source: Send + Sync + 'static {
    /// All flags, as they are now.
    fn flags(&self) -> impl Future<Output = Result<Flags>> + Send;
}

/// What is switched on for whom.
pub struct FeatureFlags<S> {
    cache: Arc<dyn Cache>,
    source: Arc<S>,
    policy: Policy,
    /// Marks what is cached as stale when the service says that it changed.
    _consumers: Consumers,
}

impl<S: Source> FeatureFlags<S> {
    /// Asks the service each minute, in the background, and when it publishes a change.
    ///
    /// # Errors
    ///
    /// If the events cannot be followed now.
    pub async fn new(cache: &dyn Cache, events: &Events, source: S) -> Result<Self> {
        const DAY: Duration = Duration::from_secs(86_400);
        let policy = Policy::builder()
            .ttl(Duration::from_secs(60))
            // Callers have what is there while it is asked for again, and for a day if that fails.
            .stale_while_revalidate(DAY)
            .build()?;
        let marked = cache.share();
        let consumers = events
            .group("feature-flags")
            // Not invalidated, which would leave nothing to serve if the service is away just then.
            .handle(move |_: Arc<FlagsChanged>| {
                let cache = marked.clone();
                async move {
                    cache.mark_stale(KEY).await;
                    anyhow::Ok(())
                }
            })
            .start()
            .await?;
        Ok(Self { cache: cache.share(), source: Arc::new(source), policy, _consumers: consumers })
    }

    /// Whether a flag is on for a user: always the same users while its percentage stays. Off if nothing was ever known.
    pub async fn is_on(&self, flag: &str, user: u64) -> bool {
        let source = self.source.clone();
        // Those who wait for the first answer share its error, as text.
        let fetch = async move || source.flags().await.map_err(|error| error.to_string());
        let flags = self.cache.get_or_compute_background(KEY, &self.policy, fetch);
        let percentage = flags.await.ok().and_then(|flags: Flags| flags.get(flag).copied()).unwrap_or(0);
        bucket(flag, user) < percentage
    }
}

/// From 0 to 99: the same in all processes and releases (FNV-1a).
fn bucket(flag: &str, user: u64) -> u8 {
    let bytes = flag.bytes().chain(user.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u8::try_from((hash >> 32) % 100).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use larder::MemoryCache;

    use super::*;

    #[derive(Clone, Default)]
    struct Service(Arc<Mutex<Option<u8>>>);

    impl Service {
        fn set(&self, percentage: Option<u8>) {
            *self.0.lock().expect("no one panicked") = percentage;
        }
    }

    impl Source for Service {
        async fn flags(&self) -> Result<Flags> {
            let percentage = *self.0.lock().expect("no one panicked");
            percentage
                .map(|percentage| HashMap::from([("new".to_owned(), percentage)]))
                .ok_or_else(|| anyhow::anyhow!("away"))
        }
    }

    async fn on(flags: &FeatureFlags<Service>) -> usize {
        let mut on = 0;
        for user in 0..1_000 {
            on += usize::from(flags.is_on("new", user).await);
        }
        on
    }

    #[tokio::test]
    async fn a_change_arrives_and_an_outage_changes_nothing() -> Result<()> {
        let (cache, service) = (MemoryCache::new(10), Service::default());
        let events = Events::local(&cache);
        let flags = FeatureFlags::new(&cache, &events, service.clone()).await?;
        assert_eq!(on(&flags).await, 0, "nothing was ever known");
        service.set(Some(30));
        assert!((200..400).contains(&on(&flags).await));

        service.set(Some(100));
        events.publish(&FlagsChanged).await?;
        let arrives = async {
            while on(&flags).await < 1_000 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), arrives).await?;
        service.set(None);
        cache.core().advance(Duration::from_secs(3_600));
        assert_eq!(on(&flags).await, 1_000, "the service is away");
        Ok(())
    }
}
