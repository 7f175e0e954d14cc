//! Several processes, which are real, on one database: killed and started again, with connections that are cut and a server
//! that is restarted, transactions that are committed, rolled back, and left open. No read is older than an invalidation
//! that was delivered, or committed with its change, longer ago than the reader may be disconnected.

mod check;

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use larder::{CacheExt, DisconnectPolicy, Invalidation, MemoryCache};
use larder_servers::PostgresServer;
use larder_sql::TieredSqlCache;
use rustix::time::{ClockId, clock_gettime};
use sqlx::{Connection, Executor, PgConnection, Row, SqliteConnection};

use self::check::{Event, Findings, MAY_BE_DISCONNECTED, check};
use crate::places::{Place, policy};

const URL: &str = "LARDER_SQL_WORKER_URL";
const PREFIX: &str = "LARDER_SQL_WORKER_PREFIX";

const WORKERS: usize = 3;
/// So many that what one change failed to invalidate is not soon invalidated by another.
const KEYS: i64 = 60;
const GROUPS: i64 = 20;

/// Milliseconds on a clock that all processes have.
fn now() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}

/// What the parent reads: a kind, a key, a version, and when it was.
fn tell(kind: &str, key: i64, version: i64, at: i64) {
    let mut out = std::io::stdout().lock();
    // The parent may be gone.
    _ = writeln!(out, "@{kind} {key} {version} {at}").and_then(|()| out.flush());
}

/// The source of truth, beside the cache.
macro_rules! source {
    ($name:ident, $connection:ty, $begin:literal) => {
        struct $name {
            link: Option<$connection>,
            place: Place,
        }

        impl $name {
            async fn link(&mut self) -> sqlx::Result<&mut $connection> {
                let link = match self.link.take() {
                    Some(link) => link,
                    None => <$connection>::connect(&self.place.url).await?,
                };
                Ok(self.link.insert(link))
            }

            async fn version(&mut self, key: i64) -> sqlx::Result<i64> {
                let query = format!("SELECT version FROM {}_truth WHERE key = {key}", self.place.prefix);
                let row = self.link().await?.fetch_one(&*query).await;
                if row.is_err() {
                    self.link = None;
                }
                row?.try_get(0)
            }

            /// Changes the truth, and says so before the commit. With a cache, its invalidation is a part of the
            /// transaction, which may be open for long, or be rolled back.
            async fn change(
                &mut self,
                key: i64,
                cache: Option<&TieredSqlCache>,
            ) -> sqlx::Result<Option<i64>> {
                let prefix = self.place.prefix.clone();
                let link = self.link().await?;
                link.execute($begin).await?;
                let update = format!(
                    "UPDATE {prefix}_truth SET version = version + 1 WHERE key = {key} RETURNING version"
                );
                let version: i64 = link.fetch_all(&*update).await?[0].try_get(0)?;
                if let Some(cache) = cache {
                    // A version may be tried again that was never committed.
                    let attempt = fastrand::i64(1..);
                    let values = format!("{attempt}, {key}, {version}");
                    let note =
                        format!("INSERT INTO {prefix}_writes (attempt, key, version) VALUES ({values})");
                    link.execute(&*note).await?;
                    cache.invalidate_in(link, &*name(key)).await?;
                    if fastrand::u8(..10) == 0 {
                        tokio::time::sleep(Duration::from_millis(fastrand::u64(..300))).await;
                    }
                    if fastrand::u8(..4) == 0 {
                        link.execute("ROLLBACK").await?;
                        return Ok(None);
                    }
                    tell("begun", key, attempt, now());
                }
                link.execute("COMMIT").await?;
                Ok(Some(version))
            }

            async fn write(mut self, cache: TieredSqlCache) {
                loop {
                    let key = fastrand::i64(0..KEYS);
                    let within = fastrand::bool().then_some(&cache);
                    match self.change(key, within).await {
                        Ok(Some(version)) if within.is_some() => tell("done", key, version, now()),
                        Ok(Some(version)) => invalidate(&cache, &mut self, key, version).await,
                        Ok(None) => {}
                        Err(_) => {
                            self.link = None;
                            tell("unknown", key, 0, now());
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(..20))).await;
                }
            }

            async fn read(mut self, cache: TieredSqlCache) {
                loop {
                    let (key, begun) = (fastrand::i64(0..KEYS), now());
                    match look(&cache, &mut self, key).await {
                        Ok((version, true)) => tell("hit", key, version, begun),
                        Ok((version, false)) => tell("read", key, version, begun),
                        Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                    }
                    tokio::time::sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
                }
            }
        }

        impl Source for $name {
            async fn version(&mut self, key: i64) -> sqlx::Result<i64> {
                Self::version(self, key).await
            }
        }
    };
}

trait Source {
    async fn version(&mut self, key: i64) -> sqlx::Result<i64>;
}

source!(InPostgres, PgConnection, "BEGIN");
source!(InSqlite, SqliteConnection, "BEGIN IMMEDIATE");

fn name(key: i64) -> String {
    format!("g{}:{key}", key % GROUPS)
}

/// A version, and whether it was there already.
async fn look(cache: &TieredSqlCache, source: &mut impl Source, key: i64) -> sqlx::Result<(i64, bool)> {
    if let Some(version) = cache.get::<i64>(&name(key)).await.unwrap() {
        return Ok((version, true));
    }
    let since = cache.begin();
    let version = source.version(key).await?;
    tokio::time::sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
    cache.insert_since(since, &name(key), &version, policy()).await.unwrap();
    Ok((version, false))
}

async fn invalidate(cache: &TieredSqlCache, source: &mut impl Source, key: i64, version: i64) {
    let scope = match fastrand::u8(..8) {
        0 => larder::Scope::prefix(format!("g{}", key % GROUPS)),
        _ => larder::Scope::key(name(key)),
    };
    if let Invalidation::Delivered(_) = cache.invalidate(scope).await {
        tell("done", key, version, now());
    }
    // In its own process at once, delivered or not.
    if let Ok((found, _)) = look(cache, source, key).await
        && found < version
    {
        tell("own", key, found, version);
    }
}

/// What a worker does until it is killed, or its parent is gone.
async fn work(place: Place) {
    thread::spawn(|| {
        _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let builder = place
        .builder()
        .deadline(Duration::from_secs(1))
        .on_disconnect(DisconnectPolicy::Bypass(MAY_BE_DISCONNECTED));
    let cache = TieredSqlCache::new(&MemoryCache::new(1_000), builder.connect_lazily().unwrap());
    tell("start", 0, 0, now());
    let (one, two) = (cache.clone(), cache.clone());
    if place.is_sqlite() {
        let source = || InSqlite { link: None, place: place.clone() };
        tokio::join!(source().write(one), source().read(two), source().read(cache));
    } else {
        let source = || InPostgres { link: None, place: place.clone() };
        tokio::join!(source().write(one), source().read(two), source().read(cache));
    }
}

#[test]
#[ignore = "a process of the test below"]
fn worker() {
    let (Ok(url), Ok(prefix)) = (env::var(URL), env::var(PREFIX)) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work(Place { url, prefix, _directory: None }));
}

type Told = Arc<Mutex<Vec<Event>>>;

struct Worker {
    process: Child,
    reader: thread::JoinHandle<()>,
    told: Told,
}

impl Worker {
    fn start(place: &Place) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "processes::worker", "--ignored", "--nocapture", "--test-threads", "1"]);
        command.env(URL, &place.url).env(PREFIX, &place.prefix).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (out, told) = (process.stdout.take().unwrap(), Told::default());
        let reader = thread::spawn({
            let told = told.clone();
            move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    let Some((_, event)) = line.split_once('@') else { continue };
                    let parts: Vec<_> = event.split(' ').collect();
                    let [kind, key, version, at] = parts[..] else { continue };
                    let numbers = [key, version, at].map(|number| number.parse().ok());
                    let [Some(key), Some(version), Some(at)] = numbers else { continue };
                    told.lock().unwrap().push((kind.to_owned(), key, version, at));
                }
            }
        });
        Self { process, reader, told }
    }

    fn kill(mut self) -> Vec<Event> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.reader.join().unwrap();
        let mut told = std::mem::take(&mut *self.told.lock().unwrap());
        told.push(("killed".to_owned(), 0, 0, now()));
        told
    }
}

fn prepare(place: &Place) -> String {
    let keys: Vec<_> = (0..KEYS).map(|key| format!("({key}, 1)")).collect();
    format!(
        "CREATE TABLE {0}_truth (key INT PRIMARY KEY, version BIGINT NOT NULL);
         CREATE TABLE {0}_writes (attempt BIGINT NOT NULL, key INT NOT NULL, version BIGINT NOT NULL);
         INSERT INTO {0}_truth (key, version) VALUES {1};",
        place.prefix,
        keys.join(", ")
    )
}

/// What was committed with its invalidation: the attempt, the key, and the version.
async fn committed(place: &Place) -> Vec<(i64, i64, i64)> {
    let query = format!("SELECT attempt, CAST(key AS BIGINT), version FROM {}_writes", place.prefix);
    if place.is_sqlite() {
        let rows = SqliteConnection::connect(&place.url).await.unwrap().fetch_all(&*query).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    } else {
        let rows = PgConnection::connect(&place.url).await.unwrap().fetch_all(&*query).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }
}

/// Workers on a database, killed and started again in turn, with `harm` in between.
async fn run(place: &Place, mut harm: impl AsyncFnMut(u32)) -> Findings {
    let seconds = env::var("LARDER_SOAK").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(4.0);
    // WAL mode and all tables are there before the workers come.
    drop(place.plain().await);
    place.execute(&prepare(place)).await;
    let begun = std::time::Instant::now();
    let (mut workers, mut histories) = (Vec::new(), Vec::new());
    workers.extend((0..WORKERS).map(|_| Worker::start(place)));
    let mut round = 0;
    while begun.elapsed().as_secs_f64() < seconds {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if round % 2 == 0 {
            histories.push(workers.remove(0).kill());
            workers.push(Worker::start(place));
        } else {
            harm(round).await;
        }
        round += 1;
    }
    // Until all have been there for long enough to be checked.
    let is_done =
        |worker: &Worker| worker.told.lock().unwrap().iter().filter(|told| told.0 == "hit").count() > 20;
    crate::places::eventually("all workers have read", async || workers.iter().all(is_done)).await;
    histories.extend(workers.into_iter().map(Worker::kill));
    check(&histories, &committed(place).await)
}

#[expect(clippy::print_stdout, reason = "what was looked at is of interest")]
fn report(what: &str, findings: &Findings) {
    let Findings { reads, hits, changes, unknown, violations } = findings;
    println!(
        "{what}: {reads} reads, {hits} of them hits, {changes} changes, {unknown} commits whose process did not know, {} violations",
        violations.len()
    );
    assert!(violations.is_empty(), "{}", violations.join("\n"));
    assert!(*hits > 20 && *changes > 10, "there was something to look at: {hits} hits, {changes} changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_postgresql() {
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    let findings = run(&place, async |round| match round % 6 {
        1 => {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE pid <> pg_backend_pid() AND datname = 'larder' AND random() < 0.5";
            _ = place.try_to(cut).await;
        }
        3 => {
            server.kill();
            server.restart();
        }
        _ => _ = place.try_to("DELETE FROM {}_entries").await,
    })
    .await;
    report("PostgreSQL", &findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_sqlite() {
    let place = Place::sqlite();
    let findings = run(&place, async |_| _ = place.try_to("DELETE FROM {}_entries").await).await;
    report("SQLite", &findings);
}
