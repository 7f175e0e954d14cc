use larder::invalidate;

#[invalidate(tag = "transactions")]
async fn book(amount: u64) -> u64 {
    amount
}

fn main() {}
