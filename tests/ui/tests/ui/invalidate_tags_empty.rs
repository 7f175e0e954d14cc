use larder::invalidate;

#[invalidate(tags = [])]
async fn rename(id: u64) {
    let _ = id;
}

fn main() {}
