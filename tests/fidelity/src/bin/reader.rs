//! The process that reads what the test stored: `reader URL`.

use std::io;

fn main() -> io::Result<()> {
    let url = std::env::args().nth(1).ok_or_else(|| io::Error::other("usage: reader URL"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(larder_fidelity::reader::run(&url))
}
