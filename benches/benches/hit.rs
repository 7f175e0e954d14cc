//! A hit: on one key, on a mix of keys, from two threads on one key.

use std::{
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use larder::CacheExt;
use larder_benches::{
    IDS, account, key, keys, larder, moka, moka_text, policy, quick, ready, user, user_in, zipf,
};

fn one_key(criterion: &mut Criterion) {
    let mut group = group(criterion, "hit");
    let (larder, moka, moka_text, quick) = (larder([7]), moka([7]), moka_text([7]), quick([7]));
    group.bench_function("#[cached]", |b| b.iter(|| ready(user(black_box(7)))));
    group.bench_function("#[cached], a Result", |b| b.iter(|| ready(account(black_box(7)))));
    group.bench_function("get", |b| b.iter(|| ready(larder.get::<u64>(black_box("user:7")))));
    group.bench_function("get_or_compute", |b| {
        let policy = policy();
        b.iter(|| {
            ready(larder.get_or_compute(black_box("user:7"), &policy, || async { Ok::<u64, String>(7) }))
        });
    });
    group.bench_function("moka", |b| b.iter(|| moka.get(&black_box(7))));
    group.bench_function("moka, by text", |b| b.iter(|| moka_text.get(black_box("user:7"))));
    group.bench_function("moka, by text that is built", |b| b.iter(|| moka_text.get(&key(black_box(7)))));
    group.bench_function("quick_cache", |b| b.iter(|| quick.get(&black_box(7))));
}

fn zipf_mix(criterion: &mut Criterion) {
    let mut group = group(criterion, "zipf");
    let mut reads = zipf(IDS, 1.0, 1 << 16).into_iter().cycle();
    let mut next = || reads.next().expect("the reads go round");
    let (larder, moka, quick, keys) = (larder(0..IDS), moka(0..IDS), quick(0..IDS), keys());
    group.bench_function("#[cached]", |b| b.iter(|| ready(user_in(&larder, next()))));
    group.bench_function("get", |b| b.iter(|| ready(larder.get::<u64>(&keys[next() as usize]))));
    group.bench_function("moka", |b| b.iter(|| moka.get(&next())));
    group.bench_function("quick_cache", |b| b.iter(|| quick.get(&next())));
}

fn two_threads(criterion: &mut Criterion) {
    let mut group = group(criterion, "two threads, one key");
    let (moka, quick) = (moka([7]), quick([7]));
    ready(user(7));
    group.bench_function("#[cached]", |b| b.iter_custom(|n| both(n, || ready(user(black_box(7))))));
    group.bench_function("moka", |b| b.iter_custom(|n| both(n, || moka.get(&black_box(7)))));
    group.bench_function("quick_cache", |b| b.iter_custom(|n| both(n, || quick.get(&black_box(7)))));
}

/// How long it takes two threads to read `n` times each.
fn both<R>(n: u64, read: impl Fn() -> R + Sync) -> Duration {
    let start = Barrier::new(2);
    let timed = || {
        start.wait();
        let begun = Instant::now();
        (0..n).for_each(|_| drop(black_box(read())));
        begun.elapsed()
    };
    thread::scope(|scope| {
        let other = scope.spawn(timed);
        let here = timed();
        here.max(other.join().expect("nothing panics"))
    })
}

fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group
}

criterion_group!(benches, one_key, zipf_mix, two_threads);
criterion_main!(benches);
