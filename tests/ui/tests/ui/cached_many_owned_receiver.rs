use std::collections::HashMap;

use larder::cached_many;

struct Db;

impl Db {
    #[cached_many(ttl = 60, key = "user:<id>", each = id in ids, skip(self))]
    async fn users(self, ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, *id)).collect()
    }
}

fn main() {}
