//! What a `MemoryCache` keeps is as good as what the best of the others keeps.

use larder::MemoryCache;
use larder_benches::{
    mixes::{Mix, mixes},
    read,
};

/// The share of hits, in percent, once the cache is full.
#[expect(clippy::cast_precision_loss, reason = "there are few")]
fn hits(reads: &[u64], mut read: impl FnMut(u64) -> bool) -> f64 {
    let fill = reads.len() / 3;
    let hits = reads.iter().enumerate().filter(|&(n, &id)| read(id) && n >= fill).count();
    100.0 * hits as f64 / (reads.len() - fill) as f64
}

#[test]
fn it_keeps_up_with_quick_cache() {
    for Mix { name, kept, reads } in mixes(60_000) {
        let quick = quick_cache::sync::Cache::new(usize::try_from(kept).expect("there are few"));
        let theirs = hits(&reads, |id| {
            let hit = quick.get(&id).is_some();
            if !hit {
                quick.insert(id, id);
            }
            hit
        });
        let larder = MemoryCache::new(kept);
        let ours = hits(&reads, |id| read(&larder, id));
        // Reads that go round twice what is kept are the worst mix for every cache but those that keep what is old.
        let less = if name.contains("a loop through twice") { 12.0 } else { 2.5 };
        assert!(ours > theirs - less, "{name}: {ours:.2} % to {theirs:.2} %");
    }
}
