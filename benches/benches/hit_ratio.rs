//! What the front cache costs in hits: it hides most of them from the store, which decides by them what is
//! kept. Reads of 100,000 ids, through caches that keep 10,000.

use std::time::Instant;

use larder::{CacheExt, MemoryCache};
use larder_benches::{IDS, key, policy, ready, zipf};

const ALL: u64 = 100_000;
const READS: usize = 1_500_000;

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn main() {
    println!("\n| zipf exponent | cache | hits | ns per read |\n| --- | --- | --: | --: |");
    for exponent in [0.8, 1.0] {
        let reads = zipf(ALL, exponent, READS);
        let moka = moka::sync::Cache::new(IDS);
        let (hits, ns) = measure(&reads, |id| {
            let key = key(id);
            let hit = moka.get(&key).is_some();
            if !hit {
                moka.insert(key, id);
            }
            hit
        });
        println!("| {exponent} | moka | {hits:.2} % | {ns:.0} |");
        for slots in [0, 1_024, 2_048, 4_096] {
            let cache = MemoryCache::builder().capacity(IDS).front_cache_slots(slots).build();
            let (cache, policy) = (cache.expect("the settings are valid"), policy());
            let (hits, ns) = measure(&reads, |id| {
                let mut hit = true;
                let compute = || {
                    hit = false;
                    async move { Ok::<_, String>(id) }
                };
                ready(cache.get_or_compute(&key(id), &policy, compute)).expect("it cannot fail");
                hit
            });
            println!("| {exponent} | larder, front cache of {slots} | {hits:.2} % | {ns:.0} |");
        }
    }
}

/// The share of hits, in percent, once the cache is full, and the time of a read.
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
fn measure(reads: &[u64], mut read: impl FnMut(u64) -> bool) -> (f64, f64) {
    let (fill, measured) = reads.split_at(reads.len() / 3);
    for &id in fill {
        read(id);
    }
    let begun = Instant::now();
    let hits = measured.iter().filter(|&&id| read(id)).count();
    let reads = measured.len() as f64;
    (100.0 * hits as f64 / reads, begun.elapsed().as_nanos() as f64 / reads)
}
