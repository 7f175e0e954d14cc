use std::collections::HashMap;

use larder::cached;

#[cached(ttl = 300)]
async fn names(language: String) -> Result<HashMap<&'static str, String>, u8> {
    Ok(HashMap::from([("language", language)]))
}

fn main() {}
