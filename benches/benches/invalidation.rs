//! An invalidation: of a key, and of all keys with a prefix.

use std::time::Duration;

use criterion::{
    BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use larder::{CacheExt, MemoryCache};
use larder_benches::{IDS, keys, larder, moka_text, policy, ready};

fn of_a_key(criterion: &mut Criterion) {
    let mut group = group(criterion, "invalidate a key");
    let keys = keys();
    let mut keys = keys.iter().cycle();
    let mut next = || keys.next().expect("the keys go round").as_str();
    let (larder, moka) = (larder(0..IDS), moka_text(0..IDS));
    group.bench_function("larder", |b| b.iter(|| ready(larder.invalidate(next()))));
    group.bench_function("moka", |b| b.iter(|| moka.invalidate(next())));
}

/// The time of the call that makes it true that no entry under the prefix is served any more.
fn of_a_prefix(criterion: &mut Criterion) {
    let mut group = group(criterion, "invalidate a prefix");
    group.sample_size(10);
    for entries in [10, 100_000] {
        let cache = MemoryCache::new(200_000);
        for id in 0..entries {
            ready(cache.insert(&format!("many:{id}"), &id, policy())).expect("the key is short");
        }
        group.bench_function(format!("larder, {entries} entries"), |b| {
            b.iter(|| ready(cache.invalidate("many:*")));
        });
        // There is nothing of the kind in moka but to look at every key.
        let fill = || {
            let cache = moka::sync::Cache::<String, u64>::new(200_000);
            (0..entries).for_each(|id| cache.insert(format!("many:{id}"), id));
            cache.run_pending_tasks();
            cache
        };
        let clear = |cache: &mut moka::sync::Cache<String, u64>| {
            for (key, _) in cache.iter().filter(|(key, _)| key.starts_with("many:")) {
                cache.invalidate(&*key);
            }
        };
        group.bench_function(format!("moka, {entries} entries"), |b| {
            b.iter_batched_ref(fill, clear, BatchSize::PerIteration);
        });
    }
}

fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    group
}

criterion_group!(benches, of_a_key, of_a_prefix);
criterion_main!(benches);
