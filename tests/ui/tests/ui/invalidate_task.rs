#[larder::invalidate("row:<id>")]
fn write(id: u64) -> Result<tokio::task::JoinHandle<u64>, String> {
    Ok(tokio::spawn(async move { id }))
}

fn main() {}
