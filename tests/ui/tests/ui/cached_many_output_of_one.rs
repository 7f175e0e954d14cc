use larder::cached_many;

#[cached_many(ttl = 60, key = "sum:<id>", each = id in ids)]
async fn sum(ids: &[u64]) -> u64 {
    ids.iter().sum()
}

fn main() {}
