//! Entries in memory: what each takes, and what a hit and an invalidation cost among so many.

use std::{env, hint::black_box, process};

use larder::{CacheExt, MemoryCache};
use larder_benches::{key, policy, ready};

use crate::usage;

const HITS: u64 = 1_000_000;
const INVALIDATIONS: u64 = 100_000;

#[expect(clippy::print_stdout, reason = "it is what this is for")]
pub(crate) fn measure() {
    let most = env::var("GROWTH_MOST").ok().and_then(|most| most.parse().ok()).unwrap_or(10_000_000);
    println!("\n| entries | bytes each | an insert, ns | a hit, ns | `invalidate` of another key, ns |");
    println!("| --: | --: | --: | --: | --: |");
    let sizes = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
    for entries in sizes.into_iter().filter(|&entries| entries <= most) {
        let before = usage::memory(process::id());
        let cache = MemoryCache::new(entries);
        let insert = usage::each(entries, || {
            for id in 0..entries {
                ready(cache.insert(&key(id), &id, policy())).expect("the key is short");
            }
        });
        let taken = usage::memory(process::id()).saturating_sub(before);
        // Of few, what the allocator has anyway is more.
        let bytes = if entries < 100_000 { "–".to_owned() } else { (taken / entries).to_string() };
        let mut random = fastrand::Rng::with_seed(7);
        let keys: Vec<_> = (0..HITS / 10).map(|_| key(random.u64(0..entries))).collect();
        let hit = usage::each(HITS, || {
            for key in (0..10).flat_map(|_| &keys) {
                black_box(ready(cache.get::<u64>(key)).expect("the key is short"));
            }
        });
        let others: Vec<_> = (0..INVALIDATIONS).map(|id| format!("other:{id}")).collect();
        let invalidate = usage::each(INVALIDATIONS, || {
            for key in &others {
                let _here = ready(cache.invalidate(&**key));
            }
        });
        println!("| {entries} | {bytes} | {insert:.0} | {hit:.0} | {invalidate:.0} |");
    }
}
