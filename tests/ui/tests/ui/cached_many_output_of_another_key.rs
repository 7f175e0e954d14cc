use std::collections::HashMap;

use larder::cached_many;

#[cached_many(ttl = 60, key = "user:<id>", each = id in ids)]
async fn users(ids: &[u64]) -> HashMap<String, u64> {
    ids.iter().map(|id| (id.to_string(), *id)).collect()
}

fn main() {}
