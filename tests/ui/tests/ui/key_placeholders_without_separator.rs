use larder::cached;

#[cached(ttl = 300, key = "<left>-<right>")]
async fn pair(left: u64, right: u64) -> u64 {
    left + right
}

fn main() {}
