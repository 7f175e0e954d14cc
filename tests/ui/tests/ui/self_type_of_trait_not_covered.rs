use larder::cached;

trait Table: Sync {
    fn name(&self) -> String;

    #[cached(ttl = 300, key = "count:<id>", skip(self))]
    async fn count(&self, id: u64) -> u64 {
        self.name().len() as u64 + id
    }
}

fn main() {}
