use std::pin::Pin;

struct Db;

impl Db {
    #[larder::cached(ttl = 60, key = "user:<id>", skip(self), companions)]
    fn user(&self, id: u64) -> Pin<Box<dyn Future<Output = u64> + Send + '_>> {
        Box::pin(async move { id })
    }
}

fn main() {}
