use larder::cached;

fn main() {
    #[cached(ttl = 300)]
    async fn user(id: u64) -> u64 {
        id
    }
}
