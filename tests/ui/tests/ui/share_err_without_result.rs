use larder::cached;

#[cached(ttl = 300, share_err = String::clone)]
async fn user(id: u64) -> u64 {
    id
}

fn main() {}
