use larder::{cached, invalidate};

#[cached(ttl = 60)]
async fn user(id: u64) -> u64 {
    id
}

#[invalidate(user(user_id))]
async fn rename(id: u64) {}

fn main() {}
