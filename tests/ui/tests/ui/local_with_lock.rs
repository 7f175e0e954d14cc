use larder::cached;

#[cached(ttl = 300, local, lock = larder::Lock::Deployment)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
