use larder::cached;

#[cached(ttl = adaptive(30..=id))]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
