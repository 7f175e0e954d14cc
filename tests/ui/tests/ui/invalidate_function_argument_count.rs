use larder::{cached, invalidate};

struct Db;

#[cached(ttl = 60, key = "user:<id>", skip(db))]
async fn user(db: &Db, id: u64) -> u64 {
    id
}

#[invalidate(user(db, id))]
async fn rename(db: &Db, id: u64) {}

fn main() {}
