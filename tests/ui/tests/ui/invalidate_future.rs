use std::future::Future;

use larder::invalidate;

type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T>>>;

#[invalidate("user:<id>")]
fn rename(id: u64) -> BoxFuture<u64> {
    Box::pin(std::future::ready(id))
}

fn main() {}
