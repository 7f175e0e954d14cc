use larder::{cached, invalidate};

#[cached(ttl = 60)]
async fn report(year: u32, month: u32) -> u32 {
    year + month
}

#[invalidate(report(.., month))]
async fn recount(month: u32) {}

fn main() {}
