use larder::cached;

#[cached(ttl = 300, key = "user:<id>")]
async fn user<const N: usize>(id: u64) -> u64 {
    id
}

fn main() {}
