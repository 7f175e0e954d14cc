use larder::{cached, invalidate};

#[cached(ttl = 60)]
async fn report(year: u32) -> u32 {
    year
}

#[invalidate(report(<year>))]
async fn recount(year: u32) {}

fn main() {}
