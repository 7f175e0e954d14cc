//! The operations whose cost is measured.

use std::{
    convert::Infallible,
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use larder::{CacheExt, MemoryCache, Policy, Scope, Store};
use larder_http::HttpCache;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::{
    IDS, account, key, keys, larder, moka, moka_text, name, policy, quick, ready, user, user_blocking,
    user_in, zipf,
};

/// Runs an operation so many times.
pub type Run = Box<dyn FnMut(u64)>;

/// Something that larder or a peer does.
#[derive(Debug)]
pub struct Operation {
    /// What it is called in tables.
    pub name: &'static str,
    /// How often it runs where its instructions are counted: less often, where it takes long.
    pub times: u64,
    /// Whether it has to do without the heap.
    pub frugal: bool,
    /// Makes what it needs.
    pub prepare: fn() -> Run,
}

/// What the others are compared with.
pub const BASE: &str = "moka `get`, by id";

const fn hit(name: &'static str, prepare: fn() -> Run) -> Operation {
    Operation { name, times: 50_000, frugal: false, prepare }
}

const fn frugal(name: &'static str, prepare: fn() -> Run) -> Operation {
    Operation { frugal: true, ..hit(name, prepare) }
}

const fn slow(name: &'static str, prepare: fn() -> Run) -> Operation {
    Operation { times: 5_000, ..hit(name, prepare) }
}

/// All of them.
pub static OPERATIONS: &[Operation] = &[
    hit(BASE, || {
        let cache = moka([7]);
        run(move || cache.get(&black_box(7)))
    }),
    hit("moka `get`, by text", || {
        let cache = moka_text([7]);
        run(move || cache.get(black_box("user:7")))
    }),
    hit("moka `get`, by text that is built", || {
        let cache = moka_text([7]);
        run(move || cache.get(&key(black_box(7))))
    }),
    hit("quick_cache `get`, by id", || {
        let cache = quick([7]);
        run(move || cache.get(&black_box(7)))
    }),
    frugal("`#[cached]`", || run(|| ready(user(black_box(7))))),
    frugal("`#[cached]`, a `Result`", || run(|| ready(account(black_box(7))))),
    frugal("`#[cached]`, not async", || run(|| user_blocking(black_box(7)))),
    hit("`#[cached]`, text in key and value", || {
        run(|| ready(name(black_box("one of the tenants"), black_box(7))))
    }),
    frugal("`get`", || {
        let cache = larder([7]);
        run(move || ready(cache.get::<u64>(black_box("user:7"))))
    }),
    frugal("`get_or_compute`", || {
        let (cache, policy) = (larder([7]), policy());
        run(move || {
            ready(cache.get_or_compute(black_box("user:7"), &policy, || async { Ok::<u64, String>(7) }))
        })
    }),
    hit("`get` with `Store::Moka`", || {
        let cache = MemoryCache::builder().store(Store::Moka).build().expect("the settings are valid");
        ready(cache.insert("user:7", &7_u64, policy())).expect("the key is short");
        run(move || ready(cache.get::<u64>(black_box("user:7"))))
    }),
    hit("moka `get`, zipf", || {
        let (cache, mut next) = (moka(0..IDS), zipf_ids());
        run(move || cache.get(&next()))
    }),
    hit("quick_cache `get`, zipf", || {
        let (cache, mut next) = (quick(0..IDS), zipf_ids());
        run(move || cache.get(&next()))
    }),
    hit("`#[cached]`, zipf", || {
        let (cache, mut next) = (larder(0..IDS), zipf_ids());
        run(move || ready(user_in(&cache, next())))
    }),
    slow("moka, a miss (`get_with`)", || {
        let (cache, mut next) = (moka_text([]), 0..);
        run(move || next.next().map(|id| cache.get_with(key(id), || id)))
    }),
    slow("`#[cached]`, a miss", || {
        let (cache, mut next) = (larder([]), 0..);
        run(move || next.next().map(|id| ready(user_in(&cache, id))))
    }),
    slow("quick_cache, an insert of a new key", || {
        let (cache, mut next) = (quick(0..IDS), IDS..);
        run(move || next.next().map(|id| cache.insert(id, id)))
    }),
    slow("`insert` of a new key, the cache is full", || {
        let (cache, mut next, policy) = (larder(0..IDS), IDS.., policy());
        run(move || next.next().map(|id| ready(cache.insert(&key(id), &id, &policy))))
    }),
    slow("the same with `Store::Moka`", || {
        let cache = MemoryCache::builder().store(Store::Moka).build().expect("the settings are valid");
        let (mut next, policy) = (0.., policy());
        run(move || next.next().map(|id: u64| ready(cache.insert(&key(id), &id, &policy))))
    }),
    slow("moka `invalidate`", || {
        let (cache, mut keys) = (moka_text(0..IDS), keys().into_iter());
        run(move || keys.next().map(|key| cache.invalidate(&key)))
    }),
    slow("`invalidate`, a key", || {
        let (cache, mut keys) = (larder(0..IDS), keys().into_iter());
        run(move || keys.next().map(|key| ready(cache.invalidate(&*key))))
    }),
    slow("`invalidate`, a prefix", || {
        let cache = larder(0..IDS);
        run(move || ready(cache.invalidate(black_box("user:*"))))
    }),
    slow("`invalidate`, another key", invalidations::<1>),
    slow("the same, and `get` with 2 scopes", scoped::<2, 1>),
    slow("the same, and `get` with 64 scopes", scoped::<64, 1>),
    slow("the same, and `get` with 1,000 scopes", scoped::<1_000, 1>),
    slow("the same, and `get` with 4,096 scopes", scoped::<4_096, 1>),
    slow("`invalidate`, 1,200 other keys", invalidations::<1_200>),
    slow("the same, and `get` with 4,096 scopes", scoped::<4_096, 1_200>),
    hit("`get` with 4,096 scopes", scoped::<4_096, 0>),
    hit("a request to a service", || run(move || answer(page(&[])))),
    hit("a request to a service behind `HttpCache`, a hit", || {
        let service = HttpCache::new(larder([])).layer(page(&[]));
        run(move || answer(service.clone()))
    }),
    hit("the same, of a response that varies by two headers", || {
        let service = HttpCache::new(larder([])).layer(page(&[("vary", "accept-encoding, accept-language")]));
        run(move || answer(service.clone()))
    }),
];

/// Invalidates so many keys in one call, none of which anything has to do with.
fn invalidations<const CHANGED: usize>() -> Run {
    let cache = larder([7]);
    let others: Vec<_> = (0..CHANGED).map(|n| Scope::key(format!("other:{n}"))).collect();
    run(move || drop(cache.invalidate(&*others)))
}

/// A hit on an entry with so many scopes, after so many others have changed.
fn scoped<const SCOPES: usize, const CHANGED: usize>() -> Run {
    /// The key, and its prefix.
    const OWN: usize = 2;
    let cache = larder([]);
    let tags = (OWN..SCOPES).map(|n| format!("tag:{n}"));
    let policy = Policy::builder().ttl(Duration::from_secs(3600)).tags(tags).build();
    let policy = policy.expect("the settings are valid");
    ready(cache.insert("user:7", &7_u64, policy)).expect("the key is short");
    let others: Vec<_> = (0..CHANGED).map(|n| Scope::key(format!("other:{n}"))).collect();
    run(move || {
        if CHANGED > 0 {
            drop(cache.invalidate(&*others));
        }
        ready(cache.get::<u64>(black_box("user:7"))).expect("the key is short").expect("it is valid")
    })
}

/// A service that has its page at hand, with these headers besides.
fn page(
    more: &'static [(&str, &str)],
) -> impl Service<Request<Empty<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(move |_| async move {
        let head = Response::builder()
            .header("content-type", "application/json")
            .header("cache-control", "public, max-age=3600");
        let head = more.iter().fold(head, |head, (name, value)| head.header(*name, *value));
        Ok(head.body(Full::new(Bytes::from_static(b"{\"id\":7}"))).expect("the headers are valid"))
    })
}

/// Sends a request as browsers do, and reads the response.
fn answer<S, B>(service: S) -> Bytes
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data = Bytes, Error: std::fmt::Debug>,
{
    let request = Request::get("/api/v1/users/7?page=2")
        .header("host", "example.com")
        .header("user-agent", "Mozilla/5.0")
        .header("accept", "application/json")
        .header("accept-encoding", "gzip, br")
        .body(Empty::new())
        .expect("the request is valid");
    ready(async {
        let response = service.oneshot(request).await.unwrap_or_else(|never| match never {});
        response.into_body().collect().await.expect("the body is in memory").to_bytes()
    })
}

fn run<R>(mut operation: impl FnMut() -> R + 'static) -> Run {
    Box::new(move |times| (0..times).for_each(|_| drop(black_box(operation()))))
}

fn zipf_ids() -> impl FnMut() -> u64 {
    let mut reads = zipf(IDS, 1.0, 1 << 16).into_iter().cycle();
    move || reads.next().expect("the reads go round")
}

/// Nanoseconds of each operation: the median of rounds in which all have a turn, so that what disturbs the
/// machine disturbs them alike.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
pub fn times() -> Vec<f64> {
    const ROUNDS: usize = 25;
    let mut runs: Vec<Run> = OPERATIONS.iter().map(|operation| (operation.prepare)()).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); runs.len()];
    for _ in 0..ROUNDS {
        for ((run, operation), round) in runs.iter_mut().zip(OPERATIONS).zip(&mut rounds) {
            let times = operation.times / 20;
            let begun = Instant::now();
            run(times);
            round.push(begun.elapsed().as_nanos() as f64 / times as f64);
        }
    }
    rounds
        .into_iter()
        .map(|mut round| {
            round.sort_by(f64::total_cmp);
            round[ROUNDS / 2]
        })
        .collect()
}
