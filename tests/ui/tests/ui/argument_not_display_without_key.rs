use larder::cached;

struct Db;

#[cached(ttl = 300)]
async fn user(db: &Db, id: u64) -> u64 {
    let _ = db;
    id
}

fn main() {}
