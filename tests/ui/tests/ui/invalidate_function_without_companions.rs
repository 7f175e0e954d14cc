use larder::{cached, invalidate};

#[cached(ttl = 60, companions = false)]
async fn user(id: u64) -> u64 {
    id
}

#[invalidate(user(..))]
async fn rename(id: u64) {}

fn main() {}
