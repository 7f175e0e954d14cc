use larder::cached;

#[cached(ttl = 300, refresh_ahead = 0.8, key = "all", skip(names))]
async fn user(names: Vec<&str>) -> usize {
    names.len()
}

fn main() {}
