use larder::cached;

struct Filter {
    name: String,
}

#[cached(ttl = 300, key = "search:<filter.nme:hash>")]
async fn search(filter: &Filter) -> u64 {
    let _ = &filter.name;
    0
}

fn main() {}
