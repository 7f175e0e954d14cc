use larder::cached;

#[cached(ttl = 300, key = "sum:<left>")]
async fn sum((left, right): (u64, u64)) -> u64 {
    left + right
}

fn main() {}
