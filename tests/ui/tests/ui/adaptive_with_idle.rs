use larder::cached;

#[cached(ttl = adaptive(30..=3600), idle = 10)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
