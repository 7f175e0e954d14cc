use larder::cached;

#[derive(Clone)]
struct User;

#[cached(ttl = 300)]
async fn user(id: u64) -> Result<User, String> {
    let _ = id;
    Ok(User)
}

fn main() {}
