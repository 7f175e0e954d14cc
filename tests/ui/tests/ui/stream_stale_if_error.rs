use std::pin::Pin;

use futures_core::Stream;
use larder::cached;

#[cached(ttl = 300, stale_if_error = "1h")]
fn users(id: u64) -> Pin<Box<dyn Stream<Item = Result<u64, String>>>> {
    source(id)
}

fn source(_: u64) -> Pin<Box<dyn Stream<Item = Result<u64, String>>>> {
    todo!()
}

fn main() {}
