use larder::{MemoryCache, cached, invalidate};

#[cached(ttl = 60)]
async fn report(year: u32) -> u32 {
    year
}

#[invalidate(report(year), cache = cache)]
async fn recount(cache: &MemoryCache, year: u32) {}

fn main() {}
