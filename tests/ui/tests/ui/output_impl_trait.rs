use larder::cached;

#[cached(ttl = 300)]
async fn user(id: u64) -> impl Send {
    id
}

fn main() {}
