use larder::invalidate;

#[invalidate(format!("user:{}", self_id))]
async fn rename(self_id: u64) {
    let _ = self_id;
}

fn main() {}
