use larder::cached;

#[cached(ttl = 300)]
struct User;

fn main() {}
