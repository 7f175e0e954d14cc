use larder::cached;

#[cached(ttl = 300, spawn, skip(log))]
async fn user(log: &mut String, id: u64) -> u64 {
    log.push('!');
    id
}

fn main() {}
