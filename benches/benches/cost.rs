//! What a call costs: instructions, heap allocations and time, as a table.
//!
//! Instructions are counted by `perf` where the machine lets it, else by `valgrind`, else not at all: each
//! operation is run in a process of its own, n times and 2n times, and half of what the second run has
//! more is what n operations cost.
//!
//! With `--guard` the instructions of some operations are compared with `benches/instructions.txt`, and more than three
//! percent of a difference is a failure; `--record` writes that file.

use std::{
    convert::Infallible,
    env,
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use larder::{CacheExt, MemoryCache, Policy, Scope, Store};
use larder_benches::{
    IDS, account, counter::Counter, guard::Recorded, key, keys, larder, moka, moka_text, name, policy, quick,
    ready, user, user_blocking, user_in, zipf,
};
use larder_http::HttpCache;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

/// Runs an operation so many times.
type Run = Box<dyn FnMut(u64)>;

struct Operation {
    name: &'static str,
    /// How often it runs where its instructions are counted: less often, where it takes long.
    times: u64,
    /// Whether it has to do without the heap.
    frugal: bool,
    prepare: fn() -> Run,
}

/// The operations that `--guard` compares.
const GUARDED: [&str; 12] = [
    "`#[cached]`",
    "`#[cached]`, a `Result`",
    "`#[cached]`, not async",
    "`#[cached]`, text in key and value",
    "`get`",
    "`get_or_compute`",
    "`#[cached]`, zipf",
    "`#[cached]`, a miss",
    "`insert` of a new key, the cache is full",
    "`invalidate`, a key",
    "`get` with 4,096 scopes",
    "a request to a service behind `HttpCache`, a hit",
];

/// What the others are compared with.
const BASE: &str = "moka `get`, by id";

const fn hit(name: &'static str, prepare: fn() -> Run) -> Operation {
    Operation { name, times: 50_000, frugal: false, prepare }
}

const fn frugal(name: &'static str, prepare: fn() -> Run) -> Operation {
    Operation { frugal: true, ..hit(name, prepare) }
}

const fn slow(name: &'static str, prepare: fn() -> Run) -> Operation {
    Operation { times: 5_000, ..hit(name, prepare) }
}

static OPERATIONS: &[Operation] = &[
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
    hit("a request to a service", || run(move || answer(page()))),
    hit("a request to a service behind `HttpCache`, a hit", || {
        let service = HttpCache::new(larder([])).layer(page());
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

/// A service that has its page at hand.
fn page()
-> impl Service<Request<Empty<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(|_| async {
        let head = Response::builder()
            .header("content-type", "application/json")
            .header("cache-control", "public, max-age=3600");
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

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let [_, flag, index, times] = &*arguments
        && flag == "--run"
    {
        let number = |text: &str| text.parse().expect("this program itself wrote it");
        let mut run = (OPERATIONS[number(index) as usize].prepare)();
        run(number(times));
        return ExitCode::SUCCESS;
    }
    let is_asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    match () {
        () if is_asked("--record") => record(),
        () if is_asked("--guard") => guard(),
        () => table(),
    }
}

/// The instructions of an operation.
fn instructions(counter: Counter, index: usize) -> Option<f64> {
    counter.measure(&["--run", &index.to_string()], OPERATIONS[index].times)
}

/// The instructions of the operations with these names.
fn measured<'n>(counter: Counter, names: impl IntoIterator<Item = &'n str>) -> Vec<(f64, &'n str)> {
    let measure = |name: &'n str| {
        let index = OPERATIONS.iter().position(|operation| operation.name == name)?;
        Some((instructions(counter, index)?, name))
    };
    names.into_iter().filter_map(measure).collect()
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn record() -> ExitCode {
    let Some(counter) = Counter::find() else {
        println!("there is nothing that counts instructions: install valgrind");
        return ExitCode::FAILURE;
    };
    let operations = measured(counter, GUARDED);
    match Recorded::write(counter, &operations) {
        Ok(()) if operations.len() == GUARDED.len() => ExitCode::SUCCESS,
        written => {
            println!("{} of {} operations are recorded: {written:?}", operations.len(), GUARDED.len());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn guard() -> ExitCode {
    let recorded = match Recorded::read() {
        Ok(recorded) => recorded,
        Err(error) => {
            println!("benches/instructions.txt: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Some(counter) = Counter::find().filter(|counter| recorded.is_comparable(*counter)) else {
        println!("SKIPPED: what is recorded is of another compiler, or was counted by other means");
        return ExitCode::SUCCESS;
    };
    let operations = measured(counter, recorded.names());
    let mut outcome = ExitCode::SUCCESS;
    if operations.len() < recorded.names().count() {
        println!("an operation that is recorded is gone, or could not be run");
        outcome = ExitCode::FAILURE;
    }
    for (instructions, name) in operations {
        match recorded.objection(name, instructions) {
            Some(objection) => {
                println!("{objection}; if that is meant, record it: cargo bench --bench cost -- --record");
                outcome = ExitCode::FAILURE;
            }
            None => println!("{name}: {instructions:.0}"),
        }
    }
    outcome
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn table() -> ExitCode {
    let counter = Counter::find();
    let times = times();
    let mut base = None;
    let mut outcome = ExitCode::SUCCESS;
    println!(
        "\nInstructions are counted by {}.\n",
        counter.map_or("nothing: there is no counter", Counter::name)
    );
    println!("| operation | instructions | to moka | allocations | ns | to moka |");
    println!("| --- | --: | --: | --: | --: | --: |");
    for (index, operation) in OPERATIONS.iter().enumerate() {
        let allocations = allocations(operation);
        let instructions = counter.and_then(|counter| instructions(counter, index));
        let ns = times[index];
        let base = base.get_or_insert((instructions, ns));
        let ratio = instructions.zip(base.0).map(|(own, base)| own / base);
        println!(
            "| {} | {} | {} | {allocations:.2} | {ns:.0} | {:.2} |",
            operation.name,
            instructions.map_or("–".into(), |count| format!("{count:.0}")),
            ratio.map_or("–".into(), |ratio| format!("{ratio:.2}")),
            ns / base.1,
        );
        if operation.frugal && allocations > 0.0 {
            println!("\n{} allocates, and must not.", operation.name);
            outcome = ExitCode::FAILURE;
        }
    }
    outcome
}

/// Heap allocations of one operation, once it is warm.
#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn allocations(operation: &Operation) -> f64 {
    let times = operation.times / 5;
    let mut run = (operation.prepare)();
    run(times);
    let counted = allocation_counter::measure(|| run(times));
    counted.count_total as f64 / times as f64
}

/// Nanoseconds of each operation: the median of rounds in which all have a turn, so that what disturbs the
/// machine disturbs them alike.
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn times() -> Vec<f64> {
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
