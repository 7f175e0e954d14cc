use larder::invalidate;

#[invalidate(soft("user:<id>"))]
async fn rename(id: u64) -> u64 {
    id
}

fn main() {}
