use std::pin::Pin;

use futures_core::Stream;

#[larder::cached(ttl = 60)]
async fn rows(id: u64) -> Result<Pin<Box<dyn Stream<Item = u64> + Send>>, String> {
    Err(id.to_string())
}

fn main() {}
