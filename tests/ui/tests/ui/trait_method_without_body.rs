use larder::cached;

trait Users {
    #[cached(ttl = 300, key = "user:<id>", skip(self))]
    async fn user(&self, id: u64) -> u64;
}

fn main() {}
