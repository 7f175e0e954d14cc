//! How the process begins, and how it speaks.

use std::{io::Write as _, time::Duration};

use larder::RedisCache;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) async fn connect(url: &str) -> larder::Result<RedisCache> {
    RedisCache::builder().url(url).prefix("kills").deadline(Duration::from_secs(5)).connect().await
}

/// One line in one call: whole or not at all, whenever the process is killed.
pub(crate) fn say(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}
