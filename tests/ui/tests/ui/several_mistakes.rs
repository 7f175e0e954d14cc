use larder::cached;

// They are all reported at once, and their callers have none of their own.
#[cached(key = "user:<idd>", tags = ["org:*"], skip(dbb), jitter = 2.0, size = 10)]
async fn user(db: &str, id: u64) -> usize {
    db.len() + id as usize
}

async fn caller() -> usize {
    user("db", 1).await + user::key().len()
}

fn main() {
    drop(caller());
}
