use std::collections::HashMap;

use larder::cached_many;

struct Db;

#[cached_many(ttl = 60, key = "user:<id>", each = id in ids, skip(db))]
async fn users(db: Db, ids: &[u64]) -> HashMap<u64, u64> {
    drop(db);
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {}
