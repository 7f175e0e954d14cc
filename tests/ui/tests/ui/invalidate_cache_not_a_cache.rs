use larder::invalidate;

#[invalidate("user:<id>", cache = 5)]
async fn rename(id: u64) -> u64 {
    id
}

fn main() {}
