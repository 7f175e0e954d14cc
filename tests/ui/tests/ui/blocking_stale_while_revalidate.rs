use larder::cached;

#[cached(ttl = 300, stale_while_revalidate = 60)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
