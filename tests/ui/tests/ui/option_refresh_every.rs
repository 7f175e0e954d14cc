use larder::cached;

#[cached(ttl = "10m", key = "rates", refresh_every = "5m")]
async fn rates() -> Vec<f64> {
    Vec::new()
}

fn main() {}
