use larder::cached;

#[cached(ttl = 60, key = "user:<id>", each = id in ids)]
async fn users(ids: &[u64]) -> Vec<u64> {
    ids.to_vec()
}

fn main() {}
