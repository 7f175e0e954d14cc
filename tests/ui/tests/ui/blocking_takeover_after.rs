use larder::cached;

#[cached(ttl = 300, takeover_after = "1s")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
