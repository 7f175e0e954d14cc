//! Refreshes on a schedule, which need no callers.

use std::{
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, task::AbortHandle, time::sleep};

use crate::{
    cache::Cache,
    error::{Kind, Result},
    lock::LockGuard,
    panic_guard,
    registry::carry,
    typed::CacheExt,
};

/// How long the lock of a schedule outlives its holder.
const LOCK: Duration = Duration::from_secs(30);

/// The first refresh waits for a part of this, so that all schedules of a process do not begin at once.
const SPREAD: Duration = Duration::from_secs(1);

/// The shortest pause after a failure; each further one in a row doubles it, up to the period.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A warning about failures is said again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Runs `refresh` again and again, without callers: soon after the start, and then each time that `every` has passed since it
/// last ended. `refresh` is a cached function's [`refresh`](macro@crate::cached#companions), or several of them: what is asked
/// for seldom, and has to be there at once. Let `every` be shorter than the `ttl`.
///
/// `name` tells schedules apart. Of all that have the same name on the same cache, in this process and in all that share its
/// server, one runs at a time, by the lock `refresh:<name>`: where that process ends, another one takes over, within a minute.
/// It refreshes once when it does. The others take the new value from the server. While the server cannot be reached, each
/// process refreshes for itself.
///
/// A failure is a warning, and pauses: for a second, and twice as long after each further failure in a row, up to `every`. The
/// old value is served until its time ends. A panic of `refresh` is a failure. While the cache is
/// [disabled](CacheExt::disable), nothing is refreshed. Starts are spread over a second, or a tenth of `every` if that is
/// less, and each period is shortened by up to a tenth at random, so that schedules do not run in step.
///
/// The runtime needs its timers (`enable_time`, or `enable_all`): without them the task panics as it begins to wait, and
/// refreshes nothing.
///
/// It ends when the returned handle is dropped, unless that is [detached](Refreshing::detach), and with the runtime in which
/// this was called. What it costs is a task, and one round trip every half minute in the processes that wait.
///
/// ```
/// use std::time::Duration;
///
/// use larder::{cached, refresh_every};
///
/// #[cached(ttl = "10m", key = "rates")]
/// async fn rates() -> Result<Vec<f64>, std::io::Error> {
///     // asks a bank
/// #   Ok(vec![1.1])
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// // In `main`, where it is kept as long as the program runs.
/// let _refreshing = refresh_every(larder::global(), "rates", Duration::from_secs(300), rates::refresh)?;
/// # Ok(())
/// # }
/// ```
///
/// A list is refreshed by [`warm`](crate::warm()), which takes the same companion:
///
/// ```
/// # use std::{convert::Infallible, sync::Arc, time::Duration};
/// # use larder::{cached, refresh_every, warm};
/// # struct Db;
/// # impl Db { async fn name(&self, id: u64) -> Result<String, String> { Ok(id.to_string()) } }
/// # #[cached(ttl = "1h", key = "user:<id>", skip(db))]
/// # async fn user(db: &Db, id: u64) -> Result<String, String> { db.name(id).await }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// # let db = Arc::new(Db);
/// let _refreshing = refresh_every(larder::global(), "largest users", Duration::from_secs(1800), move || {
///     let db = db.clone();
///     async move {
///         let warmed = warm([1, 2, 3], 4, |id| user::refresh(&db, id)).await;
///         warmed.failed.into_iter().next().map_or(Ok(()), |(_, failed)| failed.map(drop))
///     }
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If `every` is zero, or if it is called outside of a tokio runtime.
pub fn refresh_every<C, F, Fut, T, E>(
    cache: &C,
    name: impl Into<String>,
    every: Duration,
    refresh: F,
) -> Result<Refreshing>
where
    C: Cache + ?Sized,
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: 'static,
    E: fmt::Display + 'static,
{
    if every.is_zero() {
        return Err(Kind::configuration("`every` is zero: say how long a refresh is good for").into());
    }
    let runtime = Handle::try_current().map_err(|_| {
        Kind::configuration("`refresh_every` needs a tokio runtime: call it in one, as in `main`")
    })?;
    let schedule = Schedule { cache: cache.share(), name: name.into(), every, failures: Failures::default() };
    let task = runtime.spawn(carry(schedule.run(refresh)));
    Ok(Refreshing { task: task.abort_handle(), detached: false })
}

/// A schedule that runs: see [`refresh_every`]. It ends when this is dropped.
#[must_use = "the schedule ends when this is dropped: keep it, or `detach` it"]
pub struct Refreshing {
    task: AbortHandle,
    detached: bool,
}

impl Refreshing {
    /// Lets it run until its runtime ends.
    pub fn detach(mut self) {
        self.detached = true;
    }

    /// Whether it runs, here or by waiting for another process: true until its runtime ends.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Refreshing {
    fn drop(&mut self) {
        if !self.detached {
            self.task.abort();
        }
    }
}

impl fmt::Debug for Refreshing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refreshing").field("is_running", &self.is_running()).finish()
    }
}

struct Schedule {
    cache: Arc<dyn Cache>,
    name: String,
    every: Duration,
    failures: Failures,
}

impl Schedule {
    async fn run<F, Fut, T, E>(mut self, mut refresh: F)
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        let lock = format!("refresh:{}", self.name);
        sleep(SPREAD.min(self.every / 10).mul_f64(fastrand::f64())).await;
        loop {
            match self.cache.try_lock(&lock, LOCK).await {
                Ok(Some(guard)) => self.hold(&guard, &mut refresh).await,
                Ok(None) => sleep(shortened(self.every.min(LOCK))).await,
                // No process can be asked which of them it is, and none has what another one computes.
                Err(_) => {
                    let pause = self.once(&mut refresh).await;
                    sleep(pause).await;
                }
            }
        }
    }

    /// Refreshes while the lock is held.
    async fn hold<F, Fut, T, E>(&mut self, guard: &LockGuard, refresh: &mut F)
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        while guard.is_held() {
            let pause = self.once(refresh).await;
            sleep(pause).await;
        }
    }

    /// Refreshes, and tells for how long to pause then.
    async fn once<F, Fut, T, E>(&mut self, refresh: &mut F) -> Duration
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        if !self.cache.is_enabled() {
            return shortened(self.every.min(LOCK));
        }
        // The user's closure, and its error's `Display`, panic in there if they do.
        let refreshed = async { refresh().await.map(drop).map_err(|error| error.to_string()) };
        match panic_guard::contain_future(refreshed).await {
            Some(Ok(())) => {
                self.failures.over(&self.name);
                shortened(self.every)
            }
            Some(Err(error)) => self.failures.note(&self.name, &error, self.every),
            None => self.failures.note(&self.name, "it panicked", self.every),
        }
    }
}

/// Failures in a row.
#[derive(Default)]
struct Failures {
    count: u32,
    said: Option<Instant>,
}

impl Failures {
    /// Another one. Tells for how long to pause.
    fn note(&mut self, name: &str, error: &str, every: Duration) -> Duration {
        let pause = shortened(FIRST_PAUSE.saturating_mul(1 << self.count.min(20)).min(every));
        self.count = self.count.saturating_add(1);
        if self.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            self.said = Some(Instant::now());
            let count = self.count;
            panic_guard::report!(
                warn,
                name,
                error,
                count,
                ?pause,
                "a scheduled refresh failed; the old value is served until its time ends, and it is tried again"
            );
        }
        pause
    }

    fn over(&mut self, name: &str) {
        let Self { count, .. } = std::mem::take(self);
        if count > 0 {
            panic_guard::report!(info, name, count, "a scheduled refresh works again");
        }
    }
}

/// Shorter by up to a tenth.
fn shortened(pause: Duration) -> Duration {
    pause.mul_f64(1.0 - fastrand::f64() / 10.0)
}
