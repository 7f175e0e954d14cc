use std::{future::Future, pin::Pin};

use larder::cached;

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[cached(ttl = 300, local)]
fn user(id: u64) -> Later<u64> {
    Box::pin(async move { id })
}

fn main() {}
