//! What is kept when there is not room for all: the share of hits beside other caches, and the time of a read with what
//! it stores where it misses.

use std::time::Instant;

use larder::{Eviction, MemoryCache, Store};
use larder_benches::{
    key,
    mixes::{Mix, mixes},
    read,
};

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn main() {
    println!("\n| mix | cache | hits | ns per read |\n| --- | --- | --: | --: |");
    for Mix { name, kept, reads } in mixes(1_500_000) {
        let moka = moka::sync::Cache::new(kept);
        measure(name, "moka", &reads, |id| {
            let key = key(id);
            let hit = moka.get(&key).is_some();
            if !hit {
                moka.insert(key, id);
            }
            hit
        });
        let quick = quick_cache::sync::Cache::new(usize::try_from(kept).expect("there are few"));
        measure(name, "quick_cache", &reads, |id| {
            let key = key(id);
            let hit = quick.get(&key).is_some();
            if !hit {
                quick.insert(key, id);
            }
            hit
        });
        for (cache, store, eviction) in [
            ("larder", Store::Table, Eviction::TinyLfu),
            ("larder, `Eviction::Lru`", Store::Table, Eviction::Lru),
            ("larder, `Store::Moka`", Store::Moka, Eviction::TinyLfu),
        ] {
            let larder = MemoryCache::builder().capacity(kept).store(store).eviction(eviction).build();
            let larder = larder.expect("the settings are valid");
            measure(name, cache, &reads, |id| read(&larder, id));
        }
    }
}

/// Prints the share of hits, in percent, once the cache is full, and the time of a read.
#[expect(clippy::print_stdout, reason = "it is what this is for")]
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn measure(mix: &str, cache: &str, reads: &[u64], mut read: impl FnMut(u64) -> bool) {
    let (fill, measured) = reads.split_at(reads.len() / 3);
    for &id in fill {
        read(id);
    }
    let begun = Instant::now();
    let hits = measured.iter().filter(|&&id| read(id)).count();
    let reads = measured.len() as f64;
    let (hits, ns) = (100.0 * hits as f64 / reads, begun.elapsed().as_nanos() as f64 / reads);
    println!("| {mix} | {cache} | {hits:.2} % | {ns:.0} |");
}
