use std::future::Future;

type Writing<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

#[larder::invalidate("row:<id>")]
fn write(id: u64) -> Writing<u64> {
    Box::pin(async move { id })
}

fn main() {}
