use larder::cached;

struct User;

#[cached(ttl = 300, local)]
async fn user(id: u64) -> User {
    let _ = id;
    User
}

fn main() {}
