use std::future::Future;

trait Service {
    type Future: Future<Output = u64>;

    fn call(&mut self, id: u64) -> Self::Future;
}

struct Writer;

impl Service for Writer {
    type Future = std::pin::Pin<Box<dyn Future<Output = u64>>>;

    #[larder::invalidate("row:*")]
    fn call(&mut self, id: u64) -> Self::Future {
        Box::pin(async move { id })
    }
}

fn main() {}
