//! A miss: computed and stored, by one caller and by a thousand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use larder::CacheExt;
use larder_benches::{key, larder, moka_text, policy, ready, user_in};
use tokio::{runtime, task::JoinSet, task::yield_now};

/// Ids that were not asked for before.
fn new_ids() -> impl FnMut() -> u64 {
    let mut ids = 1_000_000..;
    move || ids.next().expect("there is no end of them")
}

fn miss(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("miss");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    let mut next = new_ids();
    group.bench_function("#[cached]", |b| {
        let cache = larder([]);
        b.iter(|| ready(user_in(&cache, next())));
    });
    group.bench_function("get_or_compute", |b| {
        let (cache, policy) = (larder([]), policy());
        b.iter(|| {
            let id = next();
            ready(cache.get_or_compute(&key(id), &policy, || async { Ok::<_, String>(id) }))
        });
    });
    group.bench_function("moka get_with", |b| {
        let cache = moka_text([]);
        b.iter(|| {
            let id = next();
            cache.get_with(key(id), || id)
        });
    });
}

const CALLERS: u32 = 1_000;

/// The time of one call, with all of the callers' tasks.
fn stampede(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stampede of 1,000, per caller");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(20);
    let runtime = runtime::Builder::new_current_thread().build().expect("no driver is needed");
    let mut next = new_ids();
    group.bench_function("get_or_compute", |b| {
        let (cache, policy) = (Arc::new(larder([])), Arc::new(policy()));
        b.iter_custom(|n| {
            per_caller(n, &runtime, || {
                let (id, cache, policy) = (next(), cache.clone(), policy.clone());
                move || {
                    let (cache, policy) = (cache.clone(), policy.clone());
                    async move {
                        // All others come before the one who computes is polled again.
                        let compute = || async {
                            yield_now().await;
                            Ok::<_, String>(id)
                        };
                        cache.get_or_compute(&key(id), &*policy, compute).await
                    }
                }
            })
        });
    });
    group.bench_function("moka get_with", |b| {
        let cache = moka_text([]);
        b.iter_custom(|n| {
            per_caller(n, &runtime, || {
                let (id, cache) = (next(), cache.clone());
                move || {
                    let cache = cache.clone();
                    async move { Ok::<_, String>(cache.get_with(key(id), || id)) }
                }
            })
        });
    });
}

/// Lets a thousand tasks call what `make` makes, `n` times over.
fn per_caller<C, F>(n: u64, runtime: &runtime::Runtime, mut make: impl FnMut() -> C) -> Duration
where
    C: Fn() -> F,
    F: Future<Output = Result<u64, String>> + Send + 'static,
{
    let begun = Instant::now();
    for _ in 0..n {
        let call = make();
        runtime.block_on(async {
            let mut callers = JoinSet::new();
            (0..CALLERS).for_each(|_| drop(callers.spawn(call())));
            callers.join_all().await
        });
    }
    begun.elapsed() / CALLERS
}

criterion_group!(benches, miss, stampede);
criterion_main!(benches);
