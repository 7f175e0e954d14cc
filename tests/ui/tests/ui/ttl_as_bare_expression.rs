use larder::cached;

#[cached(std::time::Duration::from_secs(60))]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
