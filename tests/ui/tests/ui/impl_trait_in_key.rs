#[larder::cached(ttl = 300, key = "user:<id>")]
async fn user(id: impl Into<u64> + std::fmt::Display) -> u64 {
    id.into()
}

fn main() {}
