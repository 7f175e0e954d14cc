use futures_core::Stream;
use larder::cached;

#[cached(ttl = 300)]
fn words(text: &str) -> impl Stream<Item = &str> {
    source(text)
}

fn source(_: &str) -> std::pin::Pin<Box<dyn Stream<Item = &str> + '_>> {
    todo!()
}

fn main() {}
