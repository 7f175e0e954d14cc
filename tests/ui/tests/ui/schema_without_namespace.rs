use larder::invalidate;

#[invalidate("user:<id>", schema = 2)]
async fn rename(id: u64) -> u64 {
    id
}

fn main() {}
