use larder::cache_put;

struct Db;

#[cache_put(ttl = 300, key = "user:<id>", cache = db)]
async fn rename(db: &Db, id: u64) -> u64 {
    let _ = db;
    id
}

fn main() {}
