//! The service that takes payments: `REDIS_URL=redis://localhost cargo run -p order-events --bin orders -- 7 ada`.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use anyhow::{Context as _, Result};
use order_events::OrderPaid;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let order = arguments.next().context("which order?")?.parse()?;
    let customer = arguments.next().context("whose order?")?;
    let (_, events) = order_events::connect().await?;
    // After the payment is committed: what is published here is heard of, whatever becomes of this process.
    let id = events.publish(&OrderPaid { order, customer }).await?;
    println!("order {order} is paid: event {id}");
    Ok(())
}
