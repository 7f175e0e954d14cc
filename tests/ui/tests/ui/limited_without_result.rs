use larder::limited;

#[limited(per = "ip:<id>", rate = "100/min")]
async fn search(id: u64) -> u64 {
    id
}

fn main() {}
