#[larder::invalidate("user:<id>")]
async fn rename(id: Option<u64>) {
    let _ = id;
}

fn main() {}
