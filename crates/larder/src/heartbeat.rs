//! Heartbeats: what a process publishes of itself, for `larder status`, `larder top` and `larder hot`.

#[cfg_attr(
    not(feature = "inspect"),
    expect(dead_code, unreachable_pub, reason = "public in `internal::inspect`")
)]
pub(crate) mod beat;

use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{runtime::Handle, task::AbortHandle, time::sleep};

use self::beat::{Beat, Counts, FunctionBeat, HotKey, LogBeat};
use crate::{
    cache::{Cache, SharedStorage},
    error::{Kind, Result},
    panic_guard,
    registry::carry,
    stats::FunctionStats,
    typed::CacheExt,
};

/// So many functions are told apart; the others are one.
const FUNCTIONS: usize = 50;

/// So many keys are published.
const HOT: usize = 20;

/// What is published ends when so many further ones have not come.
const MISSED: u32 = 3;

/// Publishes what this process does with a cache, again and again, on the server that the cache is shared through: for
/// `larder status`, `larder top` and `larder hot`, which look there. `name` is what people call the process: its host, or
/// its pod.
///
/// Published are figures by function and namespace (the fifty busiest), what is kept in memory, how the process stands with
/// the invalidation log, and the keys that were hit most in memory (one hit in 64 is looked at). They are under the
/// cache's prefix, as JSON that nothing seals. With `hash_keys` or `seal`, there are no keys in it; those of values that
/// stay in this process never are.
///
/// Each costs one round trip and some kilobytes; a hit costs what it costs without it. Up to 1,000 caches of processes with
/// one prefix have room. What is published ends by itself when three further ones have not come. That it cannot be published
/// is no one's error, and is said in a warning once.
///
/// The runtime needs its timers (`enable_time`, or `enable_all`): without them the task panics as it begins to wait, and nothing
/// is published.
///
/// It ends when the returned handle is dropped, unless that is [detached](Heartbeat::detach), and with the runtime in which
/// this was called.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// larder::install(larder::from_env().await?)?;
/// let name = std::env::var("HOSTNAME").unwrap_or_default();
/// larder::heartbeat(larder::global(), name, Duration::from_secs(10))?.detach();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If the cache is not shared, if `every` is less than 100 milliseconds, or outside of a tokio runtime.
pub fn heartbeat<C: Cache + ?Sized>(
    cache: &C,
    name: impl Into<String>,
    every: Duration,
) -> Result<Heartbeat> {
    if every < Duration::from_millis(100) {
        return Err(Kind::configuration("`every` is less than 100 milliseconds: 10 seconds are good").into());
    }
    if cache.storage().shared().is_none() {
        let text = "a heartbeat is published where processes share a cache: this one is not shared";
        return Err(Kind::configuration(text).into());
    }
    let runtime = Handle::try_current().map_err(|_| {
        Kind::configuration("`heartbeat` needs a tokio runtime: call it in one, as in `main`")
    })?;
    let process = Process::new(cache.share(), name.into(), every);
    let task = runtime.spawn(carry(process.run()));
    Ok(Heartbeat { task: task.abort_handle(), detached: false })
}

/// A heartbeat: see [`heartbeat`]. It ends when this is dropped.
#[must_use = "the heartbeat ends when this is dropped: keep it, or `detach` it"]
pub struct Heartbeat {
    task: AbortHandle,
    detached: bool,
}

impl Heartbeat {
    /// Lets it go on until its runtime ends.
    pub fn detach(mut self) {
        self.detached = true;
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if !self.detached {
            self.task.abort();
        }
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat").field("ended", &self.task.is_finished()).finish_non_exhaustive()
    }
}

/// What publishes.
struct Process {
    cache: Arc<dyn Cache>,
    name: String,
    number: String,
    every: Duration,
    began: Instant,
    /// What was counted when it last published, and when that was.
    before: HashMap<(String, String), Counts>,
    last: Instant,
    has_warned: bool,
}

impl Process {
    fn new(cache: Arc<dyn Cache>, name: String, every: Duration) -> Self {
        let (began, number) = (Instant::now(), format!("{:016x}", fastrand::u64(..)));
        let before = cache.function_stats().iter().map(|of| (identity(of), counts(of))).collect();
        cache.core().sample_hits(true);
        Self { cache, name, number, every, began, before, last: began, has_warned: false }
    }

    async fn run(mut self) {
        loop {
            // The first one soon: a process that has just begun is to be seen.
            let pause = if self.last == self.began { self.every / 10 } else { self.every };
            sleep(pause.mul_f64(0.9 + fastrand::f64() / 10.0)).await;
            let cache = self.cache.clone();
            let Some(shared) = cache.storage().shared() else { return };
            let beat = self.beat(shared);
            let Ok(text) = serde_json::to_string(&beat) else { continue };
            let ttl = self.every.saturating_mul(MISSED);
            let failure = match shared.publish(&self.number, &text, ttl).await {
                Ok(true) => continue,
                Ok(false) => "its store cannot publish".to_owned(),
                Err(error) => error.to_string(),
            };
            if !std::mem::replace(&mut self.has_warned, true) {
                let name = &*self.name;
                panic_guard::report!(
                    warn,
                    name,
                    reason = failure,
                    "the heartbeat of this process cannot be published (said once; it is tried on)"
                );
            }
        }
    }

    /// What there is to say.
    fn beat(&mut self, shared: &dyn SharedStorage) -> Beat {
        let now = Instant::now();
        let window = now.duration_since(std::mem::replace(&mut self.last, now));
        let (core, kept, link) = (self.cache.core(), self.cache.storage().kept(), shared.link());
        let clock = shared.server_time().unwrap_or_else(SystemTime::now);
        let hot = core.take_hot();
        let log = LogBeat {
            lag_ms: (link.out_of_touch != Duration::MAX).then(|| milliseconds(link.out_of_touch)),
            waiting: link.waiting,
            stalled_ms: milliseconds(link.stalled),
            restarts: link.restarts,
            refused: link.refusals.iter().map(|refusal| refusal.operation.to_string()).collect(),
        };
        Beat {
            process: self.number.clone(),
            name: self.name.clone(),
            cache: core.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            at_ms: milliseconds(clock.duration_since(UNIX_EPOCH).unwrap_or_default()),
            every_ms: milliseconds(self.every),
            up_ms: milliseconds(self.began.elapsed()),
            window_ms: milliseconds(window).max(1),
            enabled: core.is_enabled(),
            entries: kept.entries,
            weight: kept.weight,
            log,
            not_shared: link.unshared.iter().map(|of| format!("{}: {}", of.value_type, of.reason)).collect(),
            functions: self.functions(),
            hot: shared.shows_keys().then(|| {
                hot.into_iter()
                    .take(HOT)
                    .map(|(key, hits)| HotKey { key: key.as_ref().to_owned(), hits })
                    .collect()
            }),
        }
    }

    /// What was done for each function; from here on, what comes is new.
    fn functions(&mut self) -> Vec<FunctionBeat> {
        let stats = self.cache.function_stats();
        let mut functions: Vec<_> = stats
            .iter()
            .map(|of| {
                let (total, recent) = progress(&mut self.before, of);
                FunctionBeat {
                    function: of.function.clone(),
                    namespace: of.namespace.clone(),
                    total,
                    recent,
                    saved_ms: milliseconds(of.time_saved),
                    p90_us: microseconds(of.computing.quantile(0.9).unwrap_or_default()),
                    p99_us: microseconds(of.computing.quantile(0.99).unwrap_or_default()),
                }
            })
            .collect();
        functions.sort_by_key(|of| Reverse((of.recent.reads() + of.recent.computed, of.total.reads())));
        if functions.len() > FUNCTIONS {
            let mut other =
                FunctionBeat { function: "other".into(), namespace: "other".into(), ..Default::default() };
            for of in functions.drain(FUNCTIONS..) {
                other.total.add(&of.total);
                other.recent.add(&of.recent);
                other.saved_ms += of.saved_ms;
            }
            functions.push(other);
        }
        functions
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.cache.core().sample_hits(false);
    }
}

fn identity(of: &FunctionStats) -> (String, String) {
    (of.function.clone(), of.namespace.clone())
}

/// What a function did in all, and since it was told before. A read that was under way then may have turned out to be no miss:
/// it is not taken back, and so not told again with a later one.
fn progress(before: &mut HashMap<(String, String), Counts>, of: &FunctionStats) -> (Counts, Counts) {
    let before = before.entry(identity(of)).or_default();
    let total = counts(of).at_least(*before);
    (total, total.since(std::mem::replace(before, total)))
}

fn counts(of: &FunctionStats) -> Counts {
    let stats = &of.stats;
    let further = stats.hits_shared + stats.misses_shared;
    let not_stored = [
        stats.stores_outdated,
        stats.stores_too_wide,
        stats.stores_too_long,
        stats.stores_unfinished,
        stats.shared_too_large,
        stats.unshared_changed,
        stats.unshared_unreadable,
        stats.unshared_unencodable,
        stats.unshared_too_deep,
        stats.unshared_panicked,
        stats.unshared_postponed,
        stats.refused_keys,
    ];
    Counts {
        hits: stats.hits.saturating_sub(stats.hits_shared),
        further,
        stale: stats.stale_hits,
        misses: stats.misses.saturating_sub(stats.misses_shared),
        joined: stats.joined,
        computed: stats.computations,
        failed: stats.failures,
        not_stored: not_stored.iter().sum(),
        evicted: stats.evictions,
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::CacheStats;

    #[test]
    fn a_read_that_was_under_way_is_told_once() {
        let mut before = HashMap::new();
        let mut misses = |misses, misses_shared| {
            let stats = CacheStats { misses, misses_shared, ..CacheStats::default() };
            let (total, recent) = progress(&mut before, &FunctionStats { stats, ..FunctionStats::default() });
            (total.misses, recent.misses)
        };
        assert_eq!(misses(1, 0), (1, 1));
        assert_eq!(misses(1, 1), (1, 0), "it was found");
        assert_eq!(misses(2, 1), (1, 0), "as many as were told");
        assert_eq!(misses(3, 1), (2, 1));
    }
}
