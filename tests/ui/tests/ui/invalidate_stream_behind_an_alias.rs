type Rows = std::pin::Pin<Box<dyn futures_core::Stream<Item = u64>>>;

#[larder::invalidate("row:<id>")]
async fn write(id: u64) -> Result<Rows, String> {
    let _ = id;
    Err("none".to_owned())
}

fn main() {}
