//! How long the news of an invalidation takes to another process.

use std::{
    future::Future,
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use larder::{CacheExt, RedisCache};
use larder_benches::key;
use redis::Client;
use tokio::runtime::Runtime;

use crate::{
    ours::{self, PATIENCE},
    raw,
    work::Account,
};

/// How often an entry in memory is asked for until it is gone.
const PROBE: Duration = Duration::from_micros(20);

/// Delays in microseconds, in order: of a message on a channel, and of an invalidation, in turns.
pub(crate) fn measure(runtime: &Runtime, url: &str, rounds: u64) -> [Vec<f64>; 2] {
    // A log is known by its servers as they are spelled: to larder these are two processes.
    let here = runtime.block_on(ours::shared(url));
    let there = runtime.block_on(ours::tiered(&url.replace("127.0.0.1", "localhost")));
    let mut publisher = runtime.block_on(raw::connect(url));
    let messages = subscribe(url);
    let (mut told, mut invalidated) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let begun = Instant::now();
        let publish = redis::Cmd::publish("news", round);
        let sent: redis::RedisResult<u64> = runtime.block_on(publish.query_async(&mut publisher));
        assert_eq!(sent.ok(), Some(1), "one subscriber listens");
        let heard = messages.recv_timeout(PATIENCE).expect("the message arrives");
        told.push(heard.duration_since(begun).as_secs_f64() * 1e6);
        invalidated.push(delay(runtime, &here, &there, round).as_secs_f64() * 1e6);
    }
    told.sort_by(f64::total_cmp);
    invalidated.sort_by(f64::total_cmp);
    [told, invalidated]
}

/// A thread that tells when each message was heard.
fn subscribe(url: &str) -> mpsc::Receiver<Instant> {
    let client = Client::open(url).expect("the URL is well formed");
    let (heard, messages) = mpsc::channel();
    let (ready, subscribed) = mpsc::channel();
    thread::spawn(move || {
        let mut connection = client.get_connection().expect("the server is there");
        let mut channel = connection.as_pubsub();
        channel.subscribe("news").expect("the server is there");
        ready.send(()).expect("the bench waits for it");
        while channel.get_message().is_ok() {
            if heard.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    subscribed.recv().expect("the thread subscribes");
    messages
}

/// From the call until the entry is no longer served from the other process' memory.
fn delay(runtime: &Runtime, here: &RedisCache, there: &impl CacheExt, round: u64) -> Duration {
    let key = key(round);
    let deadline = Instant::now() + PATIENCE;
    while !is_in_memory(runtime, there, &key) {
        assert!(Instant::now() < deadline, "the entry never reaches the memory");
        let found = runtime.block_on(there.get::<Account>(&key));
        assert!(matches!(found, Ok(Some(_))), "it was stored");
    }
    let begun = Instant::now();
    drop(here.invalidate(&*key));
    while is_in_memory(runtime, there, &key) {
        assert!(Instant::now() < deadline, "the news never arrives");
        thread::sleep(PROBE);
    }
    begun.elapsed()
}

/// What is in memory is had without waiting.
fn is_in_memory(runtime: &Runtime, cache: &impl CacheExt, key: &str) -> bool {
    let _entered = runtime.enter();
    let look = pin!(cache.get::<Account>(key));
    matches!(look.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(Some(_))))
}
