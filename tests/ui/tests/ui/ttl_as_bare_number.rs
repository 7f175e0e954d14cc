use larder::cached;

#[cached(60, key = "user:<id>")]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
