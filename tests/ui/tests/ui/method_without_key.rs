use larder::cached;

struct Service;

impl Service {
    #[cached(ttl = 300)]
    async fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
