use std::collections::HashSet;

use larder::cached_many;

#[cached_many(ttl = 60, key = "half:<id>", each = id in ids)]
async fn halves(ids: &HashSet<u64>) -> Result<Vec<u64>, String> {
    Ok(ids.iter().map(|id| id / 2).collect())
}

fn main() {}
