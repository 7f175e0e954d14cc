//! Several processes, which are real, on nodes that are killed, paused and flushed, while processes are killed and started again. No
//! read is older than an invalidation that had been delivered, by whichever process, when the read began.
//!
//! `LARDER_SOAK=SECONDS` has it run for longer.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use larder::{CacheExt, Invalidation, Scope};
use larder_memcached::MemcachedCache;
use larder_servers::MemcachedServer;
use rustix::time::{ClockId, clock_gettime};

use crate::nodes::{Place, eventually, policy};

const PLACE: &str = "LARDER_MEMCACHED_WORKER_PLACE";

const WORKERS: usize = 3;
const KEYS: usize = 8;

/// Microseconds on a clock that all processes have.
fn now() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

/// What happened: a kind, a key, a version, and when it was.
type Event = (String, usize, u64, i64);

fn tell(kind: &str, key: usize, version: u64, at: i64) {
    let mut out = std::io::stdout().lock();
    // The parent may be gone.
    _ = writeln!(out, "@{kind} {key} {version} {at}").and_then(|()| out.flush());
}

/// The source of the values: a server that nothing happens to.
struct Source(String);

impl Source {
    /// The first line of a reply, or that of a value.
    fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(&self.0).unwrap();
        write!(stream, "{command}\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        if first.starts_with("VALUE") { lines.next().unwrap() } else { first }
    }

    fn version(&self, key: usize) -> u64 {
        self.ask(&format!("get truth{key}")).trim().parse().unwrap()
    }

    fn change(&self, key: usize) -> u64 {
        self.ask(&format!("incr truth{key} 1")).trim().parse().unwrap()
    }
}

fn name(key: usize) -> String {
    format!("g{}:{key}", key % 2)
}

async fn write(cache: MemcachedCache, source: &Source) {
    loop {
        let key = fastrand::usize(..KEYS);
        let version = source.change(key);
        let scope = match fastrand::u8(..8) {
            0 => Scope::prefix(format!("g{}", key % 2)),
            _ => Scope::key(name(key)),
        };
        if let Invalidation::Delivered(_) = cache.invalidate(scope).await {
            tell("done", key, version, now());
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..20))).await;
    }
}

/// The keys of each reader are its own: who joins the call of another one is answered as of that one's beginning.
async fn read(cache: MemcachedCache, source: &Source, reader: usize) {
    loop {
        let (key, begun) = (fastrand::usize(..KEYS / 2) * 2 + reader, now());
        let found = match fastrand::bool() {
            true => cache.get::<u64>(&name(key)).await.unwrap().map(|version| (version, "hit")),
            false => {
                let mut kind = "hit";
                let compute = async || {
                    kind = "read";
                    let version = source.version(key);
                    tokio::time::sleep(Duration::from_micros(fastrand::u64(..3_000))).await;
                    Ok::<_, String>(version)
                };
                let version = cache.get_or_compute(&name(key), policy(), compute).await.unwrap();
                Some((version, kind))
            }
        };
        if let Some((version, kind)) = found {
            tell(kind, key, version, begun);
        }
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..2_000))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the test below"]
async fn worker() {
    let Ok(place) = env::var(PLACE) else { return };
    thread::spawn(|| {
        _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let [source, prefix, addresses] = *place.split(' ').collect::<Vec<_>>() else { panic!("{place}") };
    let builder = MemcachedCache::builder().nodes(addresses.split(',')).prefix(prefix);
    let builder = builder.deadline(Duration::from_millis(250)).leases(Duration::from_secs(3));
    let (cache, source) = (builder.connect_lazily().unwrap(), Source(source.to_owned()));
    tokio::join!(write(cache.clone(), &source), read(cache.clone(), &source, 0), read(cache, &source, 1));
}

struct Worker {
    process: Child,
    reader: thread::JoinHandle<()>,
    told: Arc<Mutex<Vec<Event>>>,
}

impl Worker {
    fn start(place: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "processes::worker", "--ignored", "--nocapture", "--test-threads", "1"]);
        command.env(PLACE, place).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (out, told) = (process.stdout.take().unwrap(), Arc::<Mutex<Vec<Event>>>::default());
        let events = told.clone();
        let reader = thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let Some((_, event)) = line.split_once('@') else { continue };
                let [kind, key, version, at] = *event.split(' ').collect::<Vec<_>>() else { continue };
                let (Ok(key), Ok(version), Ok(at)) = (key.parse(), version.parse(), at.parse()) else {
                    continue;
                };
                events.lock().unwrap().push((kind.to_owned(), key, version, at));
            }
        });
        Self { process, reader, told }
    }

    fn has_read(&self) -> bool {
        self.told.lock().unwrap().iter().filter(|event| event.0 == "hit").count() > 5
    }

    fn kill(mut self) -> Vec<Event> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.reader.join().unwrap();
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

/// Every read that is older than what was delivered before it began.
fn violations(events: &[Event]) -> Vec<String> {
    let done: Vec<_> = events.iter().filter(|event| event.0 == "done").collect();
    let reads = events.iter().filter(|event| event.0 != "done");
    let late = reads.filter_map(|(kind, key, version, begun)| {
        let before = done.iter().filter(|event| event.1 == *key && event.3 < *begun);
        let (newest, at) = before.map(|event| (event.2, event.3)).max()?;
        (newest > *version).then(|| {
            format!("a {kind} of {key} gave {version} after {newest} was done {} µs before", begun - at)
        })
    });
    late.collect()
}

fn disturb(server: &MemcachedServer) {
    match fastrand::u8(..4) {
        0 => {
            server.kill();
            server.restart();
        }
        1 => {
            server.pause();
            thread::sleep(Duration::from_millis(fastrand::u64(..150)));
            server.resume();
        }
        _ => _ = server.tell("flush_all"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_reads_what_another_one_has_invalidated() {
    let (truth, servers) = (MemcachedServer::start(), [MemcachedServer::start(), MemcachedServer::start()]);
    for key in 0..KEYS {
        assert_eq!(truth.tell(&format!("set truth{key} 0 0 1\r\n1")), "STORED");
    }
    let place = Place::on(&servers);
    let place = format!("{} {} {}", truth.address(), place.prefix, place.addresses.join(","));
    let seconds = env::var("LARDER_SOAK").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(4.0);
    let begun = std::time::Instant::now();
    let (mut workers, mut events) = (Vec::new(), Vec::new());
    workers.extend((0..WORKERS).map(|_| Worker::start(&place)));
    while begun.elapsed().as_secs_f64() < seconds {
        tokio::time::sleep(Duration::from_millis(300)).await;
        disturb(&servers[fastrand::usize(..servers.len())]);
        if fastrand::u8(..3) == 0 {
            events.extend(workers.remove(0).kill());
            workers.push(Worker::start(&place));
        }
    }
    eventually("all workers have read", async || workers.iter().all(Worker::has_read)).await;
    events.extend(workers.into_iter().flat_map(Worker::kill));
    let count = |kind: &str| events.iter().filter(|event| event.0 == kind).count();
    let report = format!("{} hits, {} computed, {} changes", count("hit"), count("read"), count("done"));
    println!("{report}");
    let violations = violations(&events);
    assert!(violations.is_empty(), "{} of {report}: {:#?}", violations.len(), violations.first());
    assert!(count("done") > 10, "there was something to look at: {report}");
}
