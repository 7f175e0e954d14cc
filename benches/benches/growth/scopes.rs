//! Scopes of an entry: an insert under so many tags, a hit, and a hit after something else was invalidated.

use std::{hint::black_box, time::Duration};

use larder::{CacheExt, MemoryCache, Policy};
use larder_benches::ready;

use crate::usage;

const TIMES: u64 = 2_000;

#[expect(clippy::print_stdout, reason = "it is what this is for")]
pub(crate) fn measure() {
    println!(
        "\n| tags of an entry | an insert, ns | a hit, ns | a hit after an invalidation of something else, ns |"
    );
    println!("| --: | --: | --: | --: |");
    // The key and the prefixes of the key are scopes too, of which there are 4,096 at most.
    for tags in [1, 4, 16, 64, 256, 1_024, 4_000] {
        let policy = Policy::builder().ttl(Duration::from_secs(3600));
        let policy = policy.tags((0..tags).map(|tag| format!("tag-{tag}"))).build().expect("it is valid");
        let cache = MemoryCache::new(1_000);
        let insert = usage::each(TIMES, || {
            for id in 0..TIMES {
                ready(cache.insert("user:7", &id, &policy)).expect("the key is short");
            }
        });
        let hit = usage::each(TIMES * 100, || {
            for _ in 0..TIMES * 100 {
                black_box(ready(cache.get::<u64>("user:7")).expect("the key is short"));
            }
        });
        let alone = usage::each(TIMES, || {
            for _ in 0..TIMES {
                let _here = ready(cache.invalidate("other:1"));
            }
        });
        let both = usage::each(TIMES, || {
            for _ in 0..TIMES {
                let _here = ready(cache.invalidate("other:1"));
                black_box(ready(cache.get::<u64>("user:7")).expect("the key is short"));
            }
        });
        println!("| {tags} | {insert:.0} | {hit:.0} | {:.0} |", both - alone);
    }
}
