use larder::cached;

struct Db;

#[cached(ttl = 300, stale_if_error = "1h", timeout = "1s", skip(db))]
async fn user(db: &Db, id: u64) -> u64 {
    let _ = db;
    id
}

fn main() {}
