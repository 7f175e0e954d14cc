use std::collections::HashMap;

use larder::cached_many;

#[cached_many(ttl = 60, key = "user:<id>", each = id in ids, max_batch_size = 0)]
async fn users(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {}
