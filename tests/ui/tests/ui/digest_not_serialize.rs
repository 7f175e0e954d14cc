use larder::cached;

struct Filter;

#[cached(ttl = 300, key = "search:<filter:md5>")]
async fn search(filter: &Filter) -> u64 {
    let _ = filter;
    0
}

fn main() {}
