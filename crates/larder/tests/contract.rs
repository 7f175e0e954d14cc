//! Several implementations of `Cache`, run through its contract: right ones and broken ones.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use larder::{
    Cache, CacheExt, Core, Entry, Epoch, Error, Eviction, Invalidating, Invalidation, Leased, Link,
    LockGuard, Lookup, MemoryCache, Result, Scope, ScopeHash, SharedStorage, Storage, Store, ValueType,
    contract,
};

/// How an implementation is wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    None,
    AppliesWhenPolled,
    AppliesKeysOnly,
    ReturnsOtherEntries,
    SharesAnotherCore,
    HangsOnWrite,
    KeepsNothing,
    CountsWithoutWindows,
}

/// A third-party cache: a map, which loses entries now and then.
#[derive(Clone)]
struct Mapped {
    core: Core,
    flaw: Flaw,
    entries: Arc<Mutex<HashMap<String, Entry>>>,
    counters: Arc<Mutex<HashMap<String, i64>>>,
}

impl Mapped {
    fn new(flaw: Flaw) -> Self {
        let core = Core::builder().front_cache_slots(64).build();
        Self { core, flaw, entries: Arc::default(), counters: Arc::default() }
    }
}

impl Cache for Mapped {
    fn core(&self) -> &Core {
        &self.core
    }

    fn storage(&self) -> &dyn Storage {
        self
    }

    fn share(&self) -> Arc<dyn Cache> {
        match self.flaw {
            Flaw::SharesAnotherCore => Arc::new(Self { core: Core::builder().build(), ..self.clone() }),
            _ => Arc::new(self.clone()),
        }
    }
}

#[async_trait]
impl Storage for Mapped {
    fn peek(&self, at: Lookup<'_>) -> Option<Entry> {
        let entries = self.entries.lock().unwrap();
        match self.flaw {
            Flaw::ReturnsOtherEntries => entries.values().next().cloned(),
            _ => entries.get(at.key).cloned(),
        }
    }

    async fn write(&self, entries: &[Entry]) -> larder::Result<()> {
        const MOST: usize = 1_000;
        // As a server would make it.
        tokio::task::yield_now().await;
        if self.flaw == Flaw::HangsOnWrite {
            std::future::pending::<()>().await;
        }
        let mut kept = self.entries.lock().unwrap();
        for entry in entries {
            let lost = kept.remove(entry.key());
            let all =
                if kept.len() == MOST { kept.drain().map(|(_, entry)| entry).collect() } else { vec![] };
            for gone in lost.iter().chain(&all) {
                self.core.forget(gone, !all.is_empty());
            }
            if self.flaw != Flaw::KeepsNothing && fastrand::u8(..10) > 0 {
                kept.insert(entry.key().to_owned(), entry.clone());
            }
        }
        Ok(())
    }

    fn apply(&self, scopes: &[Scope]) -> Invalidating {
        let (core, keys_only) = (self.core.clone(), self.flaw == Flaw::AppliesKeysOnly);
        let scopes: Vec<_> =
            scopes.iter().filter(|scope| !keys_only || scope.as_key().is_some()).cloned().collect();
        let mut counters = self.counters.lock().unwrap();
        scopes.iter().filter_map(Scope::as_key).for_each(|key| _ = counters.remove(key));
        let apply = move || {
            core.invalidate(&scopes);
            Invalidation::Delivered(Epoch::ZERO)
        };
        match self.flaw {
            Flaw::AppliesWhenPolled => Invalidating::under_way(async move { apply() }),
            _ => Invalidating::done(apply()),
        }
    }

    fn shared(&self) -> Option<&dyn SharedStorage> {
        (self.flaw == Flaw::CountsWithoutWindows).then_some(self)
    }
}

/// What only counting needs.
#[async_trait]
impl SharedStorage for Mapped {
    fn link(&self) -> Link {
        Link::default()
    }

    fn server_time(&self) -> Option<SystemTime> {
        None
    }

    async fn lease(&self, _: Lookup<'_>, _: ValueType, _: &[ScopeHash], _: Option<Duration>) -> Leased {
        Leased::Free
    }

    async fn take_lock(&self, _: &str, _: Duration) -> Result<Option<LockGuard>> {
        Ok(None)
    }

    async fn count(&self, key: &str, by: i64, _: Option<Duration>) -> Result<i64> {
        let mut counters = self.counters.lock().unwrap();
        let counter = counters.entry(key.to_owned()).or_default();
        *counter = counter.checked_add(by).ok_or_else(|| Error::counter_overflow(key))?;
        Ok(*counter)
    }

    async fn wait_for(&self, _: Epoch) -> bool {
        true
    }

    async fn flush(&self, _: Duration) -> bool {
        true
    }
}

macro_rules! passes {
    ($($name:ident: $make:expr;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name() {
            contract::check(async || $make).await;
        }
    )+};
}

passes! {
    memory: MemoryCache::new(10_000);
    small_memory: MemoryCache::new(10);
    lru_without_a_near_table:
        MemoryCache::builder().eviction(Eviction::Lru).build().unwrap();
    moka:
        MemoryCache::builder().store(Store::Moka).build().unwrap();
    moka_by_itself:
        MemoryCache::builder().store(Store::Moka).front_cache_slots(0).eviction(Eviction::Lru).build().unwrap();
    crowded_scopes: MemoryCache::builder().scope_slots(64).build().unwrap();
    namespace: MemoryCache::new(10_000).namespace("a").schema(3).namespace("b");
    trait_object: Arc::new(MemoryCache::new(10_000)) as Arc<dyn Cache>;
    boxed: Box::new(MemoryCache::new(10_000));
    third_party: Mapped::new(Flaw::None);
    third_partys_namespace: Mapped::new(Flaw::None).namespace("a");
}

#[tokio::test]
async fn one_thread_is_enough() {
    contract::check(async || MemoryCache::new(10_000)).await;
}

macro_rules! caught {
    ($($name:ident($($clock:tt)*): $flaw:ident, $message:literal;)+) => {$(
        #[tokio::test($($clock)*)]
        #[should_panic(expected = $message)]
        async fn $name() {
            contract::check(async || Mapped::new(Flaw::$flaw)).await;
        }
    )+};
}

// With a paused clock, the suite's deadlines pass as soon as nothing else happens.
caught! {
    an_invalidation_that_waits_to_be_polled(): AppliesWhenPolled, "after it was invalidated";
    an_invalidation_that_overlooks_prefixes(): AppliesKeysOnly, "after it was invalidated";
    entries_of_other_keys(): ReturnsOtherEntries, "(clause 2)";
    a_handle_to_another_core(): SharesAnotherCore, "`core` is not the same";
    a_cache_that_keeps_nothing(start_paused = true): KeepsNothing, "nothing is ever kept";
    a_write_that_never_ends(start_paused = true): HangsOnWrite, "it hangs (clause 4)";
    a_counter_that_never_ends(): CountsWithoutWindows, "outlives its window";
}
