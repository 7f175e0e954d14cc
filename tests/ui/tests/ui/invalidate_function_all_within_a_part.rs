use larder::{cached, invalidate};

#[cached(ttl = 60, key = "report-<year>")]
async fn report(year: u32) -> u32 {
    year
}

#[invalidate(report(..))]
async fn recount() {}

fn main() {}
