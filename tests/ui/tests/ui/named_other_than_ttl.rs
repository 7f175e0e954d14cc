use larder::cached;

#[cached(ttl = 300, negative_ttl = named("metrics"))]
async fn metric(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
