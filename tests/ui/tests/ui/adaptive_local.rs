use larder::cached;

#[cached(ttl = adaptive(30..=3600), local)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
