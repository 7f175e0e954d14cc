//! Errors of any type reach those who waited for them: `share_err` makes them.

mod support;

use std::{
    fmt, io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use larder::{CacheExt, MemoryCache, cached};

use self::support::{Gate, eventually, in_time};

/// Neither `Clone` nor made from a text, as most errors around those of a database are.
#[derive(Debug)]
enum Error {
    NotFound,
    Io(io::Error),
}

impl Error {
    fn shared(&self) -> Self {
        match self {
            Self::NotFound => Self::NotFound,
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), error.to_string())),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Error {}

#[derive(Default)]
struct Source {
    calls: AtomicUsize,
}

#[cached(ttl = 60, key = "row:<id>", cache = cache, skip(cache, source, gate), share_err = Error::shared)]
async fn row(cache: &MemoryCache, source: &Source, gate: &Gate, id: u64) -> Result<u64, Error> {
    source.calls.fetch_add(1, Ordering::SeqCst);
    gate.pass().await;
    if id == 0 { Err(Error::NotFound) } else { Err(io::Error::other("no connection").into()) }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[tokio::test]
async fn a_thousand_callers_share_one_failure() {
    let (cache, source, gate) = (MemoryCache::new(10), Source::default(), Gate::closed());
    let open = async {
        eventually(|| cache.stats().misses == 1_000).await;
        gate.open();
    };
    let mut calls: Vec<_> = (0..1_000).map(|_| Box::pin(row(&cache, &source, &gate, 1))).collect();
    let all = async {
        let mut errors = Vec::new();
        // Each is polled, so that each waits.
        for call in &mut calls {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        for call in calls {
            errors.push(call.await.unwrap_err());
        }
        errors
    };
    let (errors, ()) = in_time(async { tokio::join!(all, open) }).await;
    assert_eq!(source.calls.load(Ordering::SeqCst), 1);
    for error in errors {
        assert!(matches!(&error, Error::Io(error) if error.to_string() == "no connection"), "{error}");
    }
    assert_eq!(cache.stats().joined, 999);
    assert!(matches!(row(&cache, &source, &gate, 0).await, Err(Error::NotFound)));
}

/// What is found in an `anyhow::Error` by its type is found by all, where the function keeps it.
fn keep_type(error: &anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Error>() {
        Some(error) => anyhow::Error::new(error.shared()),
        None => anyhow::anyhow!("{error:#}"),
    }
}

#[cached(ttl = 60, key = "page", cache = cache, skip(cache, begun), share_err = keep_type)]
fn page(cache: &MemoryCache, begun: &AtomicUsize) -> anyhow::Result<u64> {
    if begun.fetch_add(1, Ordering::SeqCst) == 0 {
        while cache.stats().misses < 10 {
            thread::yield_now();
        }
    }
    Err(Error::NotFound.into())
}

#[test]
fn threads_share_a_failure_that_is_found_by_its_type() {
    let (cache, begun) = (MemoryCache::new(10), AtomicUsize::new(0));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..10).map(|_| scope.spawn(|| page(&cache, &begun).unwrap_err())).collect();
        for thread in threads {
            let error = thread.join().unwrap();
            assert!(matches!(error.downcast_ref(), Some(Error::NotFound)), "{error}");
        }
    });
    assert_eq!(begun.into_inner(), 1);
}

#[cached(ttl = 60, stale_while_revalidate = 1, key = "task:<id>", share_err = |error: &Error| error.shared())]
async fn in_a_task(id: u64) -> Result<u64, Error> {
    tokio::task::yield_now().await;
    if id == 0 { Err(Error::NotFound) } else { Ok(id) }
}

#[tokio::test]
async fn a_closure_will_do_and_so_will_a_task() {
    let (one, other) = tokio::join!(in_a_task(0), in_a_task(0));
    assert!(matches!((one, other), (Err(Error::NotFound), Err(Error::NotFound))));
    assert_eq!(in_a_task(1).await.unwrap(), 1);
}

/// What makes errors and copies of a computation asks for what is being computed.
mod in_a_circle {
    use std::sync::atomic::{AtomicBool, Ordering};

    use larder::cached;
    use serde::{Deserialize, Serialize};

    #[derive(Debug)]
    pub(super) struct Failed;

    fn share(_: &Failed) -> Failed {
        label("share");
        Failed
    }

    /// Once: without a cache the circle would have no end.
    fn once(of: &'static str, asked: &AtomicBool) {
        if !asked.swap(true, Ordering::SeqCst) {
            label(of);
        }
    }

    fn is_kept(_: &Failed) -> bool {
        static ASKED: AtomicBool = AtomicBool::new(false);
        once("is kept", &ASKED);
        true
    }

    #[cached(ttl = 60, key = "circle:label:<of>")]
    fn label(of: &str) -> bool {
        match of {
            "share" => shared(1).is_err(),
            "is kept" => kept(1).is_err(),
            _ => value(1).0 == 1,
        }
    }

    #[cached(ttl = 60, key = "circle:shared:<id>", share_err = share)]
    pub(super) fn shared(id: u64) -> Result<u64, Failed> {
        if id == 0 { Ok(id) } else { Err(Failed) }
    }

    impl Clone for Failed {
        fn clone(&self) -> Self {
            Self
        }
    }

    #[cached(ttl = 60, key = "circle:kept:<id>", cache_err = 60, cache_err_if = is_kept, local)]
    pub(super) fn kept(id: u64) -> Result<u64, Failed> {
        if id == 0 { Ok(id) } else { Err(Failed) }
    }

    #[derive(Serialize, Deserialize)]
    pub(super) struct Value(pub(super) u64);

    impl Clone for Value {
        fn clone(&self) -> Self {
            static ASKED: AtomicBool = AtomicBool::new(false);
            once("clone", &ASKED);
            Self(self.0)
        }
    }

    #[cached(ttl = 60, key = "circle:value:<id>")]
    pub(super) fn value(id: u64) -> Value {
        Value(id)
    }
}

#[test]
fn what_copies_an_error_or_a_value_may_ask_for_it_again() {
    let (done, is_done) = std::sync::mpsc::channel();
    let calls: [fn() -> bool; 3] = [
        || in_a_circle::shared(1).is_err(),
        || in_a_circle::kept(1).is_err(),
        || in_a_circle::value(1).0 == 1,
    ];
    for (at, call) in calls.into_iter().enumerate() {
        let done = done.clone();
        thread::spawn(move || done.send(call()));
        let found = is_done.recv_timeout(std::time::Duration::from_secs(20));
        assert_eq!(found, Ok(true), "call {at} waits for itself");
    }
}
