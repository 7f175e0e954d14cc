use larder::cached;

#[cached(ttl = 300, stale_if_error = "1h", timeout = "1s", skip(log))]
async fn user(log: &mut String, id: u64) -> u64 {
    log.push('!');
    id
}

fn main() {}
