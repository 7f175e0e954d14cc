use larder::cached;

trait Users {
    fn user(&self, id: u64) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send + '_>>;
}

struct Service;

impl Users for Service {
    #[cached(ttl = 300, key = "user:<id>", companions, skip(self))]
    fn user(&self, id: u64) -> std::pin::Pin<Box<dyn Future<Output = u64> + Send + '_>> {
        Box::pin(async move { id })
    }
}

fn main() {}
