use larder::cached;

const NAME: &str = "metrics";

#[cached(ttl = named(NAME))]
async fn metric(id: u64) -> u64 {
    id
}

fn main() {
    let _ = NAME;
}
