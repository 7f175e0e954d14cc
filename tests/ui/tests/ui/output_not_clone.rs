use larder::cached;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct User;

#[cached(ttl = 300)]
async fn user(id: u64) -> Option<User> {
    let _ = id;
    Some(User)
}

fn main() {}
