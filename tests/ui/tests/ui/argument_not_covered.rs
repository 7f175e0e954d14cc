use larder::cached;

#[cached(ttl = 300, key = "user:<id>")]
async fn user(db: &str, id: u64) -> usize {
    db.len() + id as usize
}

fn main() {}
