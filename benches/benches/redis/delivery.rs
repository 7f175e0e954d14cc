//! How long the news of an invalidation takes to another process, and how long the call itself takes.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use larder::{CacheEvent, CacheEvents, CacheExt, Invalidation, RedisCache, TieredCache};
use larder_benches::{IDS, key};
use redis::{Client, Cmd, Connection, RedisResult, Value, aio::MultiplexedConnection, cmd};
use tokio::runtime::Runtime;

use crate::{
    ours::{self, PATIENCE},
    raw,
    work::Account,
};

/// How something is told to another process.
pub(crate) const DELIVERIES: [&str; 3] =
    ["raw `PUBLISH` to a subscriber", "raw `XADD` to a blocked `XREAD`", "`invalidate`"];

/// What a caller awaits.
pub(crate) const CALLS: [&str; 3] = ["raw `XADD`", "`invalidate`, a key", "`invalidate`, a prefix"];

/// Two processes, as larder sees it, and two threads that listen to what is sent without it.
pub(crate) struct Delivery<'r> {
    runtime: &'r Runtime,
    here: RedisCache,
    there: TieredCache,
    events: CacheEvents,
    raw: MultiplexedConnection,
    published: mpsc::Receiver<Instant>,
    appended: mpsc::Receiver<Instant>,
    /// The number of the last round.
    round: u64,
}

impl<'r> Delivery<'r> {
    pub(crate) fn new(runtime: &'r Runtime, url: &str) -> Self {
        let here = runtime.block_on(ours::shared(url));
        // A log is known by its servers as they are spelled: to larder these are two processes.
        let there = runtime.block_on(ours::tiered(&url.replace("127.0.0.1", "localhost")));
        let events = there.events();
        let raw = runtime.block_on(raw::connect(url));
        let [published, appended] = [subscribe, follow].map(|listen| listening(url, listen));
        Self { runtime, here, there, events, raw, published, appended, round: 0 }
    }

    /// Delays in microseconds, in order: each way once a round, with a pause between the rounds.
    pub(crate) fn deliveries(&mut self, rounds: u64, pause: Duration) -> [Vec<f64>; 3] {
        let mut delays = [(); 3].map(|()| Vec::new());
        for _ in 0..rounds {
            self.round += 1;
            // Whatever way is next, nothing of the one before is under way.
            thread::sleep(pause);
            delays[0].push(self.raw_delay(&Cmd::publish("news", self.round), |raw| &raw.published));
            thread::sleep(pause);
            let mut append = cmd("XADD");
            append.arg("news:log").arg(format!("{}-0", self.round)).arg("r").arg(self.round);
            delays[1].push(self.raw_delay(&append, |raw| &raw.appended));
            let key = self.in_memory_there();
            thread::sleep(pause);
            delays[2].push(self.delay(&key));
        }
        delays.map(micros)
    }

    fn raw_delay(&mut self, tell: &Cmd, heard: impl Fn(&Self) -> &mpsc::Receiver<Instant>) -> Duration {
        let begun = Instant::now();
        let sent: RedisResult<Value> = self.runtime.block_on(tell.query_async(&mut self.raw));
        sent.expect("the server takes it");
        heard(self).recv_timeout(PATIENCE).expect("it is heard").duration_since(begun)
    }

    /// The key of an entry that the other process has in memory.
    fn in_memory_there(&self) -> String {
        let key = key(self.round % IDS);
        let deadline = Instant::now() + PATIENCE;
        while !is_in_memory(self.runtime, &self.there, &key) {
            assert!(Instant::now() < deadline, "the entry never reaches the memory");
            let found = self.runtime.block_on(self.there.get::<Account>(&key));
            assert!(matches!(found, Ok(Some(_))), "it was stored");
        }
        key
    }

    /// From the call until the other process has applied it: its own thread takes the time.
    fn delay(&mut self, key: &str) -> Duration {
        while self.events.try_recv().is_some() {}
        let (heard, news) = mpsc::channel();
        let waker = Waker::from(Arc::new(Heard(heard)));
        let mut context = Context::from_waker(&waker);
        let mut event = pin!(self.events.recv());
        assert!(event.as_mut().poll(&mut context).is_pending(), "nothing else happens");
        let begun = Instant::now();
        drop(self.here.invalidate(key));
        let at = news.recv_timeout(PATIENCE).expect("the news arrives");
        let event = event.as_mut().poll(&mut context);
        assert!(matches!(event, Poll::Ready(CacheEvent::InvalidatedElsewhere { .. })), "{event:?}");
        assert!(!is_in_memory(self.runtime, &self.there, key), "it is applied");
        at.duration_since(begun)
    }

    /// How long callers wait, in microseconds, in order: in each round, so many calls of each way, one after the other.
    pub(crate) fn calls(&mut self, rounds: u64, each: u64) -> [Vec<f64>; 3] {
        let mut taken = [(); 3].map(|()| Vec::new());
        for _ in 0..rounds {
            for (way, taken) in taken.iter_mut().enumerate() {
                for _ in 0..each {
                    self.round += 1;
                    let begun = Instant::now();
                    self.call(way);
                    taken.push(begun.elapsed());
                }
            }
        }
        taken.map(micros)
    }

    fn call(&mut self, way: usize) {
        let name = format!("absent:{}", self.round);
        let outcome = match way {
            0 => {
                let mut append = cmd("XADD");
                append.arg("other:log").arg("MAXLEN").arg("~").arg(100_000).arg("*").arg("r").arg(name);
                let appended: RedisResult<Value> = self.runtime.block_on(append.query_async(&mut self.raw));
                return drop(appended.expect("the server takes it"));
            }
            1 => self.runtime.block_on(self.here.invalidate(&*name)),
            _ => self.runtime.block_on(self.here.invalidate(format!("{name}:*"))),
        };
        assert!(matches!(outcome, Invalidation::Delivered(_)), "{outcome:?}");
    }
}

fn micros(mut times: Vec<Duration>) -> Vec<f64> {
    times.sort();
    times.into_iter().map(|time| time.as_secs_f64() * 1e6).collect()
}

/// Says when it was woken, on the thread that wakes.
struct Heard(mpsc::Sender<Instant>);

impl Wake for Heard {
    fn wake(self: Arc<Self>) {
        // One that is no longer waited for.
        _ = self.0.send(Instant::now());
    }
}

/// A thread with a connection of its own, which tells when it heard of something.
fn listening(url: &str, listen: fn(Connection, mpsc::Sender<Instant>)) -> mpsc::Receiver<Instant> {
    let connection = Client::open(url).expect("the URL is well formed").get_connection();
    let (heard, messages) = mpsc::channel();
    thread::spawn(move || listen(connection.expect("the server is there"), heard));
    messages.recv_timeout(PATIENCE).expect("the thread listens");
    messages
}

fn subscribe(mut connection: Connection, heard: mpsc::Sender<Instant>) {
    let mut channel = connection.as_pubsub();
    channel.subscribe("news").expect("the server is there");
    while heard.send(Instant::now()).is_ok() && channel.get_message().is_ok() {}
}

fn follow(mut connection: Connection, heard: mpsc::Sender<Instant>) {
    for round in 0_u64.. {
        let mut read = cmd("XREAD");
        read.arg("BLOCK").arg(0).arg("STREAMS").arg("news:log").arg(format!("{round}-0"));
        if heard.send(Instant::now()).is_err() || read.query::<Value>(&mut connection).is_err() {
            return;
        }
    }
}

/// What is in memory is had without waiting.
fn is_in_memory(runtime: &Runtime, cache: &impl CacheExt, key: &str) -> bool {
    let _entered = runtime.enter();
    let look = pin!(cache.get::<Account>(key));
    matches!(look.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(Some(_))))
}
