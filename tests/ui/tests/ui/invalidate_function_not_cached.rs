use larder::invalidate;

async fn user(id: u64) -> u64 {
    id
}

#[invalidate(user(id))]
async fn rename(id: u64) {}

fn main() {}
