use larder::cached;

#[cached(ttl = 300, lock = larder::Lock::Deployment)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
