use larder::cached;

#[cached(ttl = 300, cache_err = 30, cache_err_if = |error: &u8| *error == 4)]
async fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
