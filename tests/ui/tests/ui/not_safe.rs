use larder::cached;

#[cached(ttl = 300)]
async unsafe fn user(id: u64) -> u64 {
    id
}

fn main() {}
