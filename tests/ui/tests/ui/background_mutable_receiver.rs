use larder::cached;

struct Service(u64);

impl Service {
    #[cached(ttl = 300, stale_while_revalidate = 60, key = "user:<id>", skip(self))]
    async fn user(&mut self, id: u64) -> u64 {
        self.0 += id;
        self.0
    }
}

fn main() {}
