use larder::cached;

mod user {}

#[cached(ttl = 300, companions)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
