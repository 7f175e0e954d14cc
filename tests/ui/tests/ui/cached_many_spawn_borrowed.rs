use std::collections::HashMap;

use larder::cached_many;

#[cached_many(ttl = 60, key = "length:<name>", each = name in names, spawn)]
async fn lengths(names: &[&str]) -> HashMap<String, usize> {
    names.iter().map(|name| ((*name).to_owned(), name.len())).collect()
}

fn main() {}
