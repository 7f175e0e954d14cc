use std::collections::HashMap;

use larder::cached_many;

#[cached_many(ttl = 60, key = "user:<id>", each = id in ids)]
async fn users(ids: &[u64]) -> Result<HashMap<u64, std::process::Child>, String> {
    Err(format!("{ids:?}"))
}

fn main() {}
