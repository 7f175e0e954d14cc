use larder::cached;

#[cached(ttl = 300, local = false)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
