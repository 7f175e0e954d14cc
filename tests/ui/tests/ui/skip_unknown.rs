use larder::cached;

#[cached(ttl = 300, skip(dv))]
async fn user(db: &str) -> usize {
    db.len()
}

fn main() {}
