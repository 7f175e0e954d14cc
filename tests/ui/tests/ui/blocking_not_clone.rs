use larder::cached;

struct User;

#[cached(ttl = 300)]
fn user(id: u64) -> Result<User, String> {
    let _ = id;
    Ok(User)
}

fn main() {}
