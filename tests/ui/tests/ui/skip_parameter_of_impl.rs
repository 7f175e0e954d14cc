use larder::cached;

struct Repo<T>(T);

impl<T: Sync> Repo<T> {
    #[cached(ttl = 300, key = "count", skip(self, T))]
    async fn count(&self) -> u64 {
        0
    }
}

fn main() {}
