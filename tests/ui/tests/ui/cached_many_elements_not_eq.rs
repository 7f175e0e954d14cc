use larder::cached_many;

#[cached_many(ttl = 60, key = "square:<x>", each = x in all)]
async fn squares(all: &[f64]) -> Vec<u64> {
    all.iter().map(|x| (x * x) as u64).collect()
}

fn main() {}
