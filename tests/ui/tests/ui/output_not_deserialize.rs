use larder::cached;
use serde::Serialize;

#[derive(Clone, Serialize)]
struct User;

#[cached(ttl = 300, stale_while_revalidate = 60, when = id > 1)]
async fn user(id: u64) -> User {
    let _ = id;
    User
}

fn main() {}
