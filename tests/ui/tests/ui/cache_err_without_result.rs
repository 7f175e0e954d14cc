use larder::cached;

#[cached(ttl = 300, cache_err = 30)]
async fn user(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
