use larder::invalidate;

struct Filter {
    name: String,
}

#[invalidate("search:<filter.nme>", tags = ["<filter.name>"])]
async fn search(filter: &Filter) -> u64 {
    let _ = &filter.name;
    0
}

fn main() {}
