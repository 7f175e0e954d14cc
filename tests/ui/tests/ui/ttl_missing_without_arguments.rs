use larder::cached;

#[cached]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
