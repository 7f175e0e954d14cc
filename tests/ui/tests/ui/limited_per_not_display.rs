use larder::limited;

struct Address;

#[limited(per = "ip:<address>", rate = "100/min")]
async fn search(address: Address) -> Result<(), larder::limit::Limited> {
    Ok(())
}

fn main() {}
