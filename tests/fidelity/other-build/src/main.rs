//! The other build: `larder-other-build URL`.

use std::io;

#[allow(dead_code, reason = "the test uses all of it")]
#[path = "../../src/builds.rs"]
mod builds;

fn main() -> io::Result<()> {
    let url = std::env::args().nth(1).ok_or_else(|| io::Error::other("usage: larder-other-build URL"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(builds::obey(&url))
}
