#[larder::cached(ttl = 300, key = "cell:<value>")]
async fn cell(value: impl std::fmt::Display + Send) -> String {
    format!("{value:.2}")
}

fn main() {}
