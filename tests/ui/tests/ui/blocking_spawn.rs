use larder::cached;

#[cached(ttl = 300, spawn)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
