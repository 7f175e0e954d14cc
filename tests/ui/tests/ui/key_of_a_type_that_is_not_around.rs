struct Settings;

impl Settings {
    const PREFIX: &'static str = "app";
}

trait Entity: Send + Sync {
    const ROWS: u64;
}

struct Repo<T>(T);

impl<T: Entity> Repo<T> {
    #[larder::cached(ttl = 60, key = "<Settings::PREFIX>:row:<id>", skip(self))]
    async fn get(&self, id: u64) -> u64 {
        T::ROWS * 100 + id
    }
}

fn main() {}
