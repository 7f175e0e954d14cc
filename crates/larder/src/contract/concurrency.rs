//! The one rule, with several tasks at once.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use super::trial::Trial;
use crate::{Cache, CacheExt, Policy, Scope};

const KEYS: usize = 6;

/// Sources that are written to, and how far each write is known to be.
struct World {
    cache: Arc<dyn Cache>,
    own: String,
    source: [AtomicU64; KEYS],
    /// The version that was written before an invalidation that has returned.
    known: [AtomicU64; KEYS],
    reads: AtomicU64,
}

/// A value: the version of each source that it is made from.
type Versions = Vec<(usize, u64)>;

pub(super) async fn no_read_is_older_than_a_change_before_it(trial: &Trial) {
    let world = Arc::new(World {
        cache: trial.cache.share(),
        own: trial.own.clone(),
        source: Default::default(),
        known: Default::default(),
        reads: AtomicU64::new(0),
    });
    let end = Instant::now() + Duration::from_secs(1);
    let tasks: Vec<_> = (0..6).map(|task| tokio::spawn(world.clone().live(task, end))).collect();
    for task in tasks {
        match task.await {
            Ok(Ok(())) => {}
            Ok(Err(stale)) => super::violated(trial.part, stale),
            Err(error) => super::violated(trial.part, error),
        }
    }
    trial.require(world.reads.load(SeqCst) > 0, "nothing could be read");
}

/// A source that is behind what is inserted: what is computed from it is old.
pub(super) async fn no_read_misses_an_insert_before_it(trial: &Trial) {
    if trial.cache.storage().memory().is_none() {
        return;
    }
    let known = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + Duration::from_millis(300);
    let readers: Vec<_> = (0..3)
        .map(|reader| {
            let (cache, key, known) = (trial.cache.share(), trial.own.clone(), known.clone());
            tokio::spawn(async move {
                while Instant::now() < end {
                    let inserted = known.load(SeqCst);
                    let found = read_behind(&*cache, &key, reader == 0).await;
                    if found < inserted {
                        return Err(format!("a read gave {found} after {inserted} had been inserted"));
                    }
                    tokio::task::yield_now().await;
                }
                Ok(())
            })
        })
        .collect();
    let mut random = fastrand::Rng::new();
    for value in 1.. {
        if Instant::now() >= end {
            break;
        }
        let inserted = trial.cache.insert(&trial.own, &value, Policy::ttl(Duration::from_secs(60))).await;
        trial.require(inserted.is_ok(), "an insert failed");
        known.store(value, SeqCst);
        if random.bool() {
            tokio::time::sleep(Duration::from_micros(random.u64(..50))).await;
        }
    }
    for reader in readers {
        if let Err(stale) = reader.await.unwrap_or_else(|error| Err(error.to_string())) {
            super::violated(trial.part, stale);
        }
    }
}

/// What a reader gets who would compute zero.
async fn read_behind(cache: &dyn Cache, key: &str, in_batch: bool) -> u64 {
    let policy = Policy::ttl(Duration::from_secs(60));
    if !in_batch {
        let computed = cache.get_or_compute(key, &policy, async || Ok::<_, Infallible>(0)).await;
        return computed.unwrap_or_else(|never| match never {});
    }
    let compute = async |keys: Vec<()>| Ok::<_, Infallible>(keys.into_iter().map(|()| ((), 0)).collect());
    let computed = cache.get_or_compute_many([()], |()| key.to_owned(), &policy, compute).await;
    computed.unwrap_or_else(|never| match never {}).into_values().next().unwrap_or_default()
}

impl World {
    fn key(&self, n: usize) -> String {
        format!("{}:leaf:{n}", self.own)
    }

    fn policy(&self, n: usize) -> Policy {
        let builder = Policy::builder().ttl(Duration::from_secs(60)).tag(format!("{} {n}", self.own));
        builder.build().expect("a `ttl` is all it takes")
    }

    async fn live(self: Arc<Self>, task: usize, end: Instant) -> Result<(), String> {
        let mut random = fastrand::Rng::new();
        while Instant::now() < end {
            let n = random.usize(..KEYS);
            if task < 2 {
                self.write(n, &mut random);
                tokio::time::sleep(Duration::from_micros(random.u64(..500))).await;
            } else {
                self.read(n, &mut random).await?;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn write(&self, n: usize, random: &mut fastrand::Rng) {
        let version = self.source[n].fetch_add(1, SeqCst) + 1;
        drop(self.cache.invalidate(match random.u8(..8) {
            0 => Scope::prefix(format!("{}:leaf", self.own)),
            1 => Scope::tag(format!("{} {n}", self.own)),
            2 => Scope::all(),
            _ => Scope::key(self.key(n)),
        }));
        self.known[n].fetch_max(version, SeqCst);
    }

    async fn read(&self, n: usize, random: &mut fastrand::Rng) -> Result<(), String> {
        let known: Vec<u64> = self.known.iter().map(|known| known.load(SeqCst)).collect();
        let key = self.key(n);
        let found = match random.u8(..4) {
            0 => self.cache.get::<Versions>(&key).await.unwrap_or_default(),
            1 => Some(self.computed_from(n).await),
            _ => Some(self.leaf(n).await),
        };
        let Some(found) = found else { return Ok(()) };
        self.reads.fetch_add(1, SeqCst);
        match found.iter().find(|(n, version)| *version < known[*n]) {
            None => Ok(()),
            Some((of, version)) => Err(format!(
                "a read gave version {version} of {:?} after an invalidation of version {} had returned",
                self.key(*of),
                known[*of]
            )),
        }
    }

    async fn leaf(&self, n: usize) -> Versions {
        let compute = async || {
            let version = self.source[n].load(SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(vec![(n, version)])
        };
        let computed = self.cache.get_or_compute(&self.key(n), self.policy(n), compute).await;
        computed.unwrap_or_else(|never| match never {})
    }

    /// A value that is computed from other values of the cache.
    async fn computed_from(&self, n: usize) -> Versions {
        let compute = async || {
            let mut both = self.leaf(n).await;
            both.extend(self.leaf((n + 1) % KEYS).await);
            Ok::<_, Infallible>(both)
        };
        let key = format!("{}:pair:{n}", self.own);
        let computed = self.cache.get_or_compute(&key, self.policy(n), compute).await;
        computed.unwrap_or_else(|never| match never {})
    }
}
