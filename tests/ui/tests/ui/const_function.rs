use larder::cached;

#[cached(ttl = 300)]
const fn user(id: u64) -> u64 {
    id
}

fn main() {}
