//! Computations: one a key, and never an outdated one.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use super::trial::{LONG, Trial};
use crate::{Cache, CacheExt, Scope, context};

/// Longer than a caller takes to get as far as waiting.
const A_WHILE: Duration = Duration::from_millis(500);

pub(super) async fn many_callers_compute_once(trial: &Trial) {
    const CALLERS: usize = 200;
    let (cache, key): (Arc<dyn Cache>, _) = (trial.cache.share(), trial.key("computed"));
    // A busy machine may leave a computation unpolled for a second, after which one of those who wait takes over.
    let mut policy = LONG.clone();
    policy.set_takeover_after(Duration::MAX);
    let computations = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (cache, key, policy) = (cache.clone(), key.clone(), policy.clone());
            let computations = computations.clone();
            tokio::spawn(async move {
                let compute = async || {
                    computations.fetch_add(1, SeqCst);
                    tokio::time::sleep(A_WHILE).await;
                    Ok::<_, Infallible>(7_u32)
                };
                cache.get_or_compute(&key, &policy, compute).await
            })
        })
        .collect();
    for caller in callers {
        trial.require(matches!(caller.await, Ok(Ok(7))), "a caller got another value than was computed");
    }
    let count = computations.load(SeqCst);
    trial.require(count == 1, format_args!("{CALLERS} callers at once made {count} computations"));
}

pub(super) async fn a_change_during_a_computation_counts(trial: &Trial) {
    let cache = &trial.cache;
    for scope in [Scope::key(trial.key("a:b")), Scope::prefix(trial.key("a")), Scope::all()] {
        let key = trial.key("a:b");
        drop(cache.invalidate(&key));
        let compute = async || {
            drop(cache.invalidate(&scope));
            let fresh = cache.get_or_compute(&key, &LONG, async || Ok::<_, Infallible>(2_u32)).await;
            trial.require(fresh == Ok(2), "a later caller does not get what is computed for it");
            Ok::<_, Infallible>(1_u32)
        };
        let old = cache.get_or_compute(&key, &LONG, compute).await;
        trial.require(old == Ok(1), "a caller got another value than it computed");
        let found = trial.get::<u32>(cache, &key).await;
        trial.require(found != Some(1), format_args!("{scope:?} in mid-computation was overlooked"));
    }
}

pub(super) async fn what_was_read_covers_what_was_computed(trial: &Trial) {
    let cache = &trial.cache;
    let (leaf, tag) = (trial.key("leaf:1"), trial.tag("leaf"));
    let (copy, of_copy) = (trial.key("copy"), trial.key("copy of copy"));
    let scopes = [Scope::key(&leaf), Scope::prefix(trial.key("leaf")), Scope::tag(&tag), Scope::all()];
    for scope in scopes {
        let source = AtomicUsize::new(0);
        let read_leaf = async || {
            context().tag(&tag);
            Ok::<_, Infallible>(source.load(SeqCst))
        };
        let read_copy =
            || cache.get_or_compute(&copy, &LONG, || cache.get_or_compute(&leaf, &LONG, read_leaf));
        let read = || cache.get_or_compute(&of_copy, &LONG, read_copy);
        drop(cache.invalidate([&*leaf, &*copy, &*of_copy]));
        for version in 0..20 {
            source.store(version, SeqCst);
            drop(cache.invalidate(&scope));
            let found = read().await;
            trial.require(
                found == Ok(version),
                format_args!("{found:?} is computed from what {scope:?} covers"),
            );
        }
    }

    let absent = trial.key("absent");
    let look = async || Ok::<_, Infallible>(cache.contains(&absent).await.unwrap_or(false));
    let looked = trial.key("looked");
    trial.require(cache.get_or_compute(&looked, &LONG, look).await == Ok(false), "a key is there unasked");
    trial.keep(&absent, &1_u32, &LONG).await;
    trial.require(
        trial.get::<bool>(cache, &looked).await.is_none(),
        "a value is served that was computed when something else was not there yet",
    );
}

pub(super) async fn a_failure_is_not_kept(trial: &Trial) {
    let (cache, key) = (&trial.cache, trial.key("failing"));
    let failed = cache.get_or_compute_shared(&key, &LONG, async || Err::<u32, _>("failed")).await;
    trial.require(failed == Err("failed"), "a caller got another outcome than its computation's");
    let computed = cache.get_or_compute_shared(&key, &LONG, async || Ok::<_, &str>(1_u32)).await;
    trial.require(computed == Ok(1), "a failure is kept");
}

pub(super) async fn a_batch_computes_what_is_missing(trial: &Trial) {
    let cache = &trial.cache;
    trial.keep(&trial.key(2), &20_u32, &LONG).await;
    let mut calls = 0;
    let compute = |missing: Vec<u32>| {
        calls += 1;
        async move { Ok::<_, Infallible>(missing.into_iter().filter(|n| *n < 4).map(|n| (n, n * 10)).collect()) }
    };
    let found = cache.get_or_compute_many([1, 2, 3, 4, 1], |n| trial.key(n), &LONG, compute).await;
    let right = HashMap::from([(1, 10), (2, 20), (3, 30)]);
    trial.require(found.as_ref() == Ok(&right), format_args!("a batch gives {found:?}"));
    trial.require(calls == 1, format_args!("a batch took {calls} computations"));
    for n in 1..=3 {
        let found = trial.get::<u32>(cache, &trial.key(n)).await;
        trial.require(found.is_none_or(|found| found == n * 10), "a batch stored a value under another key");
    }
}

pub(super) async fn threads_compute_once(trial: &Trial) {
    const THREADS: usize = 8;
    let runs = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (cache, key, runs) = (trial.cache.share(), trial.key("thread"), runs.clone());
            thread::spawn(move || {
                let Ok(value) = cache.blocking().get_or_compute(&key, &LONG, || {
                    runs.fetch_add(1, SeqCst);
                    thread::sleep(A_WHILE);
                    Ok::<_, Infallible>(7_u32)
                });
                value
            })
        })
        .collect();
    trial.eventually(async || threads.iter().all(thread::JoinHandle::is_finished), "a thread hangs").await;
    let all = threads.into_iter().all(|thread| thread.join().is_ok_and(|value| value == 7));
    trial.require(all, "a thread has another value");
    // A thread that begins late finds the value, unless the cache has lost it.
    let runs = runs.load(SeqCst);
    trial.require(runs < THREADS, format_args!("{runs} of {THREADS} threads computed the same"));
}
