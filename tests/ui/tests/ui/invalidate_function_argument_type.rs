use larder::{cached, invalidate};

#[cached(ttl = 60)]
async fn user(id: u64) -> u64 {
    id
}

#[invalidate(user(name))]
async fn rename(name: &str) {}

fn main() {}
