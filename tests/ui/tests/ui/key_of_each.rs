use larder::cached;

#[cached(ttl = 300, key = "user:<ids[]>")]
async fn users(ids: Vec<u64>) -> Vec<u64> {
    ids
}

fn main() {}
