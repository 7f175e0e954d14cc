use std::collections::HashMap;

use larder::cached_many;

#[cached_many(ttl = 60, key = "user:<id>", each = id in ids)]
async fn users(ids: impl Iterator<Item = u64>) -> HashMap<u64, u64> {
    ids.map(|id| (id, id)).collect()
}

fn main() {}
