#[larder::invalidate("row:<id>")]
async fn write(id: u64) -> impl Future<Output = u64> {
    async move { id }
}

fn main() {}
