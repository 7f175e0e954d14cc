use larder::invalidate;

#[invalidate("user:<id>", skip(name))]
async fn rename(id: u64, name: &str) -> u64 {
    let _ = name;
    id
}

fn main() {}
