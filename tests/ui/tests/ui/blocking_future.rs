use std::future::Future;

use larder::cached;

#[cached(ttl = 300)]
fn user(id: u64) -> impl Future<Output = u64> {
    std::future::ready(id)
}

fn main() {}
