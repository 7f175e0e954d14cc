use larder::cached;

#[cached(ttl = 300, key = "user:<user_di>")]
async fn user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
