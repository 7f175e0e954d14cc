#!/usr/bin/env bash
# moka 0.12.16 and quick_cache 0.7.0, seen 2026-11-28: what a read-through load leaves in the cache when the key is
# written or invalidated while the load runs.
#
# A loader reads row version 1. Before it returns, the row becomes 2 and the cache is told (invalidate, invalidate_all,
# or insert of the new value). Expected of both: the next read gives 2.
#
# moka: the load that began first is stored over all three, and the next read gives 1, for as long as the entry lives.
# Even an explicit `insert(7, 2)`, which had already returned, is replaced by the older load. Sync `get_with` and
# `entry().or_insert_with` alike.
# quick_cache: `remove`, `clear` and `insert` all win over the load under way; the next read gives 2.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat > "$dir/Cargo.toml" <<'TOML'
[package]
name = "loader"
version = "0.0.0"
edition = "2024"

[dependencies]
moka = { version = "=0.12.16", features = ["sync"] }
quick_cache = "=0.7.0"
TOML
cat > "$dir/src/main.rs" <<'RUST'
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

type Load = Box<dyn FnOnce() -> u64 + Send>;

/// The version that is read after a load was overtaken by `change`.
fn race(
    get: impl Fn(Load) -> u64 + Clone + Send + 'static,
    change: impl FnOnce(),
) -> u64 {
    let row = Arc::new(AtomicU64::new(1));
    let (has_read, read) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let loader = thread::spawn({
        let (row, get) = (row.clone(), get.clone());
        move || {
            get(Box::new(move || {
                let version = row.load(SeqCst);
                has_read.send(()).unwrap();
                released.recv().unwrap();
                version
            }))
        }
    });
    read.recv().unwrap();
    row.store(2, SeqCst);
    change();
    release.send(()).unwrap();
    loader.join().unwrap();
    get(Box::new(move || row.load(SeqCst)))
}

fn main() {
    let moka = || Arc::new(moka::sync::Cache::<u64, u64>::new(10));
    let quick = || Arc::new(quick_cache::sync::Cache::<u64, u64>::new(10));

    let c = moka();
    let version = race({ let c = c.clone(); move |load| c.get_with(7, load) }, || c.invalidate(&7));
    println!("moka get_with, invalidate: {version}");
    let c = moka();
    let version = race({ let c = c.clone(); move |load| c.get_with(7, load) }, || c.invalidate_all());
    println!("moka get_with, invalidate_all: {version}");
    let c = moka();
    let version = race({ let c = c.clone(); move |load| c.get_with(7, load) }, || c.insert(7, 2));
    println!("moka get_with, insert: {version}");
    let c = moka();
    let version = race(
        { let c = c.clone(); move |load| c.entry(7).or_insert_with(load).into_value() },
        || c.insert(7, 2),
    );
    println!("moka or_insert_with, insert: {version}");

    let read = |c: &Arc<quick_cache::sync::Cache<u64, u64>>| {
        let c = c.clone();
        move |load: Load| c.get_or_insert_with(&7, || Ok::<_, ()>(load())).unwrap()
    };
    let c = quick();
    println!("quick_cache, remove: {}", race(read(&c), || { c.remove(&7); }));
    let c = quick();
    println!("quick_cache, clear: {}", race(read(&c), || c.clear()));
    let c = quick();
    println!("quick_cache, insert: {}", race(read(&c), || c.insert(7, 2)));
}
RUST
seen=$(cd "$dir" && cargo run --quiet)
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
moka get_with, invalidate: 1
moka get_with, invalidate_all: 1
moka get_with, insert: 1
moka or_insert_with, insert: 1
quick_cache, remove: 2
quick_cache, clear: 2
quick_cache, insert: 2
SEEN
