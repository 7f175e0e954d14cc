use larder::cached;

#[cached("user:<id>", ttl = 300)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
