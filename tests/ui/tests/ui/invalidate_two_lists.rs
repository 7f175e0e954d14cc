use larder::invalidate;

#[invalidate("user:<ids[]>:<orders[]>")]
async fn change(ids: Vec<u64>, orders: Vec<u64>) {
    drop((ids, orders));
}

fn main() {}
