use larder::cache_put;

struct User;

#[cache_put(ttl = 300, key = "user:<id>")]
async fn rename(id: u64) -> Result<User, String> {
    let _ = id;
    Ok(User)
}

fn main() {}
