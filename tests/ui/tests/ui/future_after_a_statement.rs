type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

async fn settings() -> u64 {
    100
}

#[larder::cached(ttl = 300, key = "user:<id>:<name>")]
fn user(id: u64, name: String) -> BoxFuture<u64> {
    let name = name.clone();
    let settings = settings();
    Box::pin(async move { settings.await + id + name.len() as u64 })
}

fn main() {}
