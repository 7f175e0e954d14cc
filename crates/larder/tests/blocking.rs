//! Cached functions that are not async, and the verbs for threads: without any runtime.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::HashMap,
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy, Scope, cache_put, cached, invalidate};

fn long() -> Policy {
    Policy::ttl(Duration::from_secs(600))
}

/// What a thread comes to; a thread that hangs fails the test.
fn in_time<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, receive) = mpsc::channel();
    let thread = thread::spawn(move || {
        let outcome = run();
        let _ = send.send(());
        outcome
    });
    if receive.recv_timeout(Duration::from_secs(20)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it hangs");
    }
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Counts by key how often something ran.
#[derive(Default)]
struct Runs(Mutex<HashMap<u64, usize>>);

impl Runs {
    fn note(&self, key: u64) -> usize {
        let mut runs = self.0.lock().unwrap();
        let count = runs.entry(key).or_default();
        *count += 1;
        *count
    }

    fn of(&self, key: u64) -> usize {
        self.0.lock().unwrap().get(&key).copied().unwrap_or_default()
    }
}

/// Neither `Serialize` nor `Debug` nor `PartialEq`.
#[derive(Clone)]
struct Module {
    run: fn(u64) -> u64,
}

static MODULES: AtomicUsize = AtomicUsize::new(0);

#[cached(ttl = 300, key = "module:<name>")]
fn module(name: &str) -> Result<Module, String> {
    MODULES.fetch_add(1, Ordering::SeqCst);
    match name {
        "double" => Ok(Module { run: |n| 2 * n }),
        _ => Err(format!("there is no {name}")),
    }
}

#[test]
fn a_value_without_serde_is_kept_and_an_error_is_not() {
    for _ in 0..3 {
        assert_eq!((module("double").unwrap_or_else(|error| panic!("{error}")).run)(21), 42);
    }
    assert_eq!(MODULES.swap(0, Ordering::SeqCst), 1);
    for _ in 0..3 {
        assert_eq!(module("other").err().as_deref(), Some("there is no other"));
    }
    assert_eq!(MODULES.load(Ordering::SeqCst), 3);
    assert_eq!(module::key("double"), "module:double");
    drop(module::invalidate("double"));
    assert!(module("double").is_ok());
    assert!(module::refresh("double").is_ok());
    assert_eq!(MODULES.load(Ordering::SeqCst), 5);
}

/// Apart from the others: where there are more than sixteen entries, one may have to go by chance.
static NUMBERS: LazyLock<MemoryCache> = LazyLock::new(|| MemoryCache::new(10_000));

#[cached(ttl = 300, cache = *NUMBERS)]
fn fibonacci(n: u64) -> u128 {
    if n < 2 { u128::from(n) } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

#[test]
fn a_recursive_function_computes_each_value_once() {
    assert_eq!(in_time(|| fibonacci(150)), 9_969_216_677_189_303_386_214_405_760_200);
    let stats = NUMBERS.stats();
    if stats.evictions == 0 {
        assert_eq!((stats.computations, stats.hits), (151, 148));
    }
}

#[test]
fn threads_meet_in_a_recursive_function_and_none_hangs() {
    fn path(cache: &MemoryCache, runs: &Runs, n: u64) -> u64 {
        let compute = || {
            runs.note(n);
            thread::yield_now();
            let value =
                if n < 2 { n } else { path(cache, runs, n - 1).wrapping_add(path(cache, runs, n - 2)) };
            Ok::<_, Infallible>(value)
        };
        let Ok(value) = cache.blocking().get_or_compute(&format!("path:{n}"), long(), compute);
        value
    }
    for _ in 0..20 {
        let (cache, runs) = (MemoryCache::new(1_000), Arc::new(Runs::default()));
        let threads: Vec<_> = (50..60)
            .map(|n| {
                let (cache, runs) = (cache.clone(), runs.clone());
                thread::spawn(move || in_time(move || path(&cache, &runs, n)))
            })
            .collect();
        for thread in threads {
            assert!(thread.join().is_ok());
        }
        if cache.stats().evictions == 0 {
            assert!((0..60).all(|n| runs.of(n) == 1));
        }
    }
}

#[test]
fn two_computations_that_need_each_other_both_end() {
    fn ask(cache: &MemoryCache, keys: [&'static str; 2], both: &Barrier) -> u32 {
        let inner = || cache.blocking().get_or_compute(keys[1], long(), || Ok::<_, Infallible>(1));
        let compute = || {
            both.wait();
            inner()
        };
        let Ok(value) = cache.blocking().get_or_compute(keys[0], long(), compute);
        value
    }
    let (cache, both) = (MemoryCache::new(10), Arc::new(Barrier::new(2)));
    let threads = [["a", "b"], ["b", "a"]].map(|keys| {
        let (cache, both) = (cache.clone(), both.clone());
        thread::spawn(move || in_time(move || ask(&cache, keys, &both)))
    });
    assert_eq!(threads.map(|thread| thread.join().unwrap()), [1, 1]);
}

static SLOW: AtomicUsize = AtomicUsize::new(0);

#[cached(ttl = 300, key = "slow:<id>")]
fn slow(id: u64) -> u64 {
    SLOW.fetch_add(1, Ordering::SeqCst);
    thread::sleep(Duration::from_millis(50));
    id
}

#[test]
fn however_many_threads_ask_one_computes() {
    let threads: Vec<_> = (0..50).map(|_| thread::spawn(|| slow(7))).collect();
    for thread in threads {
        assert_eq!(in_time(move || thread.join().unwrap()), 7);
    }
    assert_eq!(SLOW.load(Ordering::SeqCst), 1);
}

/// What threads that ask for one key at once come to; the first ones panic.
fn with_panics(panics: usize) -> (usize, usize, usize) {
    const THREADS: usize = 8;
    let (cache, runs, all) =
        (MemoryCache::new(10), Arc::new(Runs::default()), Arc::new(Barrier::new(THREADS)));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (cache, runs, all) = (cache.clone(), runs.clone(), all.clone());
            thread::spawn(move || {
                all.wait();
                let compute = || {
                    let run = runs.note(1);
                    thread::sleep(Duration::from_millis(50));
                    assert!(run > panics, "on purpose");
                    Ok::<_, Infallible>(run)
                };
                let ask = || cache.blocking().get_or_compute("key", long(), compute);
                catch_unwind(AssertUnwindSafe(ask)).is_ok()
            })
        })
        .collect();
    let ended: Vec<bool> = threads.into_iter().map(|thread| in_time(|| thread.join().unwrap())).collect();
    let succeeded = ended.iter().filter(|&&ok| ok).count();
    (runs.of(1), succeeded, THREADS)
}

#[test]
fn after_a_panic_another_thread_computes() {
    let (runs, succeeded, threads) = with_panics(1);
    assert_eq!((runs, succeeded), (2, threads - 1));
}

#[test]
fn after_a_second_panic_each_thread_computes() {
    let (runs, succeeded, threads) = with_panics(2);
    assert_eq!(succeeded, threads - 2);
    assert!(runs > 3, "{runs}");
}

#[test]
fn an_invalidation_while_it_computes_is_seen_by_those_who_come_after() {
    let cache = MemoryCache::new(10);
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let first = thread::spawn({
        let cache = cache.clone();
        move || {
            let compute = || {
                begun.send(()).unwrap();
                goes_on.recv().unwrap();
                Ok::<_, Infallible>(1)
            };
            cache.blocking().get_or_compute("key", long(), compute)
        }
    });
    begins.recv().unwrap();
    drop(cache.invalidate("key"));
    // It does not wait for what is outdated.
    let later = in_time({
        let cache = cache.clone();
        move || cache.blocking().get_or_compute("key", long(), || Ok::<_, Infallible>(2))
    });
    assert_eq!(later, Ok(2));
    go_on.send(()).unwrap();
    assert_eq!(first.join().unwrap(), Ok(1));
    assert_eq!(cache.blocking().get("key").unwrap(), Some(2), "what began before is not kept");
}

static NAMES: Mutex<Option<HashMap<u64, String>>> = Mutex::new(None);

fn names(change: impl FnOnce(&mut HashMap<u64, String>)) {
    change(NAMES.lock().unwrap().get_or_insert_default());
}

#[cached(ttl = 300, key = "name:<id>", tags = ["names"], negative_ttl = 60)]
fn name(id: u64) -> Option<String> {
    larder::context().tag(format!("name-tag:{id}"));
    let mut name = None;
    names(|names| name = names.get(&id).cloned());
    name
}

#[cached(ttl = 300, key = "greeting:<id>")]
fn greeting(id: u64) -> String {
    format!("Hello, {}!", name(id).as_deref().unwrap_or("stranger"))
}

#[invalidate("name:<id>")]
fn rename(id: u64, to: &str) {
    names(|names| drop(names.insert(id, to.to_owned())));
}

#[invalidate("name:<id>", on = ok)]
fn rename_if(id: u64, to: &str, fails: bool) -> Result<(), String> {
    names(|names| drop(names.insert(id, to.to_owned())));
    if fails { Err("it fails".to_owned()) } else { Ok(()) }
}

#[invalidate("name:<result.0>")]
fn rename_and_panic(id: u64, panics: bool) -> Option<(u64,)> {
    if panics {
        panic!("on purpose");
    }
    Some((id,))
}

#[cache_put(ttl = 300, key = "name:<id>")]
fn put_name(id: u64, to: &str) -> Result<Option<String>, String> {
    names(|names| drop(names.insert(id, to.to_owned())));
    if to.is_empty() { Err("no name".to_owned()) } else { Ok(Some(to.to_owned())) }
}

#[test]
fn invalidations_reach_what_was_made_of_it() {
    assert_eq!(greeting(1), "Hello, stranger!");
    names(|names| drop(names.insert(1, "no such name".into())));
    assert_eq!(greeting(1), "Hello, stranger!", "it is kept, and so is the `None`");
    rename(1, "Ada");
    assert_eq!(greeting(1), "Hello, Ada!");
    assert_eq!(rename_if(1, "Grace", true), Err("it fails".into()));
    assert_eq!(greeting(1), "Hello, Ada!");
    assert_eq!(rename_if(1, "Grace", false), Ok(()));
    assert_eq!(greeting(1), "Hello, Grace!");
    names(|names| drop(names.insert(1, "Mary".into())));
    drop(larder::global().invalidate(Scope::tag("name-tag:1")));
    assert_eq!(greeting(1), "Hello, Mary!", "also by a tag that the inner computation chose");
}

#[test]
fn a_guard_invalidates_when_the_function_panics_and_puts_what_it_returns() {
    rename(2, "Ada");
    assert_eq!(name(2).as_deref(), Some("Ada"));
    names(|names| drop(names.insert(2, "Grace".into())));
    assert!(catch_unwind(|| rename_and_panic(2, true)).is_err());
    assert_eq!(name(2).as_deref(), Some("Ada"), "it names the result, and there is none");
    assert_eq!(rename_and_panic(2, false), Some((2,)));
    assert_eq!(name(2).as_deref(), Some("Grace"));

    assert!(put_name(2, "Mary").is_ok());
    names(|names| names.clear());
    assert_eq!(name(2).as_deref(), Some("Mary"), "what was put is what is read");
    assert!(put_name(2, "").is_err());
    assert_eq!(name(2).as_deref(), Some(""), "after an error it is not known what was written");
}

struct Repo {
    cache: MemoryCache,
    loads: AtomicUsize,
}

impl Repo {
    #[cached(ttl = 300, key = "row:<id>", skip(self, buffer), cache = self.cache, companions, when = id != 0)]
    fn row(&self, id: u64, buffer: &mut Vec<u64>) -> Result<u64, Box<dyn std::error::Error>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        buffer.push(id);
        if id == 13 {
            return Err("unlucky".into());
        }
        Ok(id)
    }
}

#[test]
fn methods_borrow_what_they_need_and_errors_need_not_be_send() {
    let repo = Repo { cache: MemoryCache::new(10), loads: AtomicUsize::new(0) };
    let mut buffer = Vec::new();
    for _ in 0..2 {
        assert_eq!(repo.row(7, &mut buffer).unwrap(), 7);
        assert_eq!(repo.row(13, &mut buffer).unwrap_err().to_string(), "unlucky");
        assert_eq!(repo.row(0, &mut buffer).unwrap(), 0, "not cached");
    }
    assert_eq!(buffer, [7, 13, 0, 13, 0]);
    drop(repo.row_invalidate(7));
    assert_eq!(repo.row_refresh(7, &mut buffer).unwrap(), 7);
    assert_eq!(repo.row(7, &mut buffer).unwrap(), 7);
    assert_eq!(repo.loads.load(Ordering::SeqCst), 6);
}

#[test]
fn a_thread_of_a_runtime_is_blocked_by_no_task_that_needs_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let value = in_time(move || {
        runtime.block_on(async {
            let cache = MemoryCache::new(10);
            let task = tokio::spawn({
                let cache = cache.clone();
                async move {
                    let compute = async || {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Ok::<_, Infallible>(1)
                    };
                    cache.get_or_compute("key", long(), compute).await
                }
            });
            tokio::task::yield_now().await;
            // The task computes on this very thread.
            let Ok(value) = cache.blocking().get_or_compute("key", long(), || Ok::<_, Infallible>(2));
            assert_eq!(task.await.unwrap(), Ok(1));
            value
        })
    });
    assert_eq!(value, 2);
}

#[tokio::test]
async fn async_functions_and_others_depend_on_each_other_and_share_entries() {
    let cache = MemoryCache::new(10);
    let count = AtomicUsize::new(0);
    let inner = || {
        cache
            .blocking()
            .get_or_compute("inner", long(), || Ok::<_, Infallible>(count.fetch_add(1, Ordering::SeqCst)))
    };
    let outer = || async { inner() };
    for _ in 0..2 {
        assert_eq!(cache.get_or_compute("outer", long(), outer).await, Ok(0));
    }
    drop(cache.invalidate("inner"));
    assert_eq!(cache.get_or_compute("outer", long(), outer).await, Ok(1));
    assert_eq!(cache.get::<usize>("inner").await.unwrap(), Some(1), "an entry is an entry");
    cache.insert("inner", &7_usize, long()).await.unwrap();
    assert_eq!(cache.blocking().get("inner").unwrap(), Some(7_usize));
}

#[test]
fn failures_are_shared_where_they_can_be() {
    let (cache, runs) = (MemoryCache::new(10), Arc::new(Runs::default()));
    let all = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (cache, runs, all) = (cache.clone(), runs.clone(), all.clone());
            thread::spawn(move || {
                all.wait();
                cache.blocking().get_or_compute_shared("key", long(), || {
                    thread::sleep(Duration::from_millis(200));
                    Err::<u8, usize>(runs.note(1))
                })
            })
        })
        .collect();
    let errors: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(errors.iter().all(|error| error == &Err(1)), "{errors:?}");
}

#[test]
fn expired_values_stand_in_for_errors() {
    let cache = MemoryCache::new(10);
    let policy = Policy::builder()
        .ttl(Duration::from_secs(60))
        .stale_if_error(Duration::from_secs(60))
        .build()
        .unwrap();
    let ask = |outcome: Result<u8, &'static str>| cache.blocking().get_or_compute("key", &policy, || outcome);
    assert_eq!(ask(Ok(1)), Ok(1));
    cache.core().advance(Duration::from_secs(90));
    assert_eq!(ask(Err("gone")), Ok(1));
    drop(cache.invalidate("key"));
    assert_eq!(ask(Err("gone")), Err("gone"));
}

#[test]
fn a_key_that_is_none_is_computed_and_not_kept() {
    let cache = MemoryCache::new(10);
    for n in 0..2 {
        assert_eq!(cache.blocking().get_or_compute("", long(), || Ok::<_, Infallible>(n)), Ok(n));
    }
    assert!(cache.blocking().get::<u8>("").is_err());
    assert!(cache.blocking().insert("", &1_u8, long()).is_err());
    assert_eq!(cache.stats().refused_keys, 2);
}
