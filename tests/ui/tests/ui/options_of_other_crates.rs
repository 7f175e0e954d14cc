use larder::cached;

#[cached(ttl_secs = 60, max_size = 1_000, sync_writes = "by_key")]
async fn price(id: u64) -> u64 {
    id
}

#[cached(ttl_millis = 300, result_fallback = true, convert = r#"{ id }"#)]
async fn rate(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cached(time = 60, option = true, cache_none = true, refresh = true)]
async fn user(id: u64) -> Option<u64> {
    Some(id)
}

#[cached(ttl = 60, redis = true, with_cached_flag = true, force_refresh = { id == 0 })]
async fn team(id: u64) -> u64 {
    id
}

#[cached(ttl = 60, name = "ORDERS", cache_prefix_block = r#"{ "orders" }"#, shards = 8)]
async fn order(id: u64) -> u64 {
    id
}

fn main() {}
