use futures_core::Stream;
use larder::cached;

#[cached(ttl = 300, max_items = 0)]
fn users(id: u64) -> impl Stream<Item = u64> {
    source(id)
}

fn source(_: u64) -> std::pin::Pin<Box<dyn Stream<Item = u64>>> {
    todo!()
}

fn main() {}
