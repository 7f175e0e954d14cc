use std::pin::Pin;

use futures_core::Stream;
use larder::cached;

type Rows = Pin<Box<dyn Stream<Item = u64> + Send>>;

#[cached(ttl = 300)]
async fn rows(id: u64) -> Rows {
    unimplemented!("{id}")
}

fn main() {}
