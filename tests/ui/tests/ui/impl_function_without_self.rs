use larder::cached;

struct Repo<T>(T);

impl<T: Default + Into<u64>> Repo<T> {
    #[cached(ttl = 300, key = "count", companions = false)]
    async fn count() -> u64 {
        T::default().into()
    }
}

fn main() {}
