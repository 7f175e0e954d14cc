use futures_core::Stream;
use larder::cached;

#[derive(Clone)]
struct User;

#[cached(ttl = 300)]
fn users(id: u64) -> impl Stream<Item = Result<User, String>> {
    source(id)
}

fn source(_: u64) -> std::pin::Pin<Box<dyn Stream<Item = Result<User, String>>>> {
    todo!()
}

fn main() {}
