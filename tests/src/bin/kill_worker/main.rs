//! A process that works until it is killed: `kill_worker writes …` or `kill_worker events …`.

mod events;
mod writes;

use std::{io::Write as _, time::Duration};

use larder::RedisCache;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((what, words)) if what == "writes" => writes::run(words).await,
        Some((what, words)) if what == "events" => events::run(words).await,
        _ => Err("what to work at is needed".into()),
    }
}

async fn connect(url: &str) -> larder::Result<RedisCache> {
    RedisCache::builder().url(url).prefix("kills").deadline(Duration::from_secs(5)).connect().await
}

/// One line in one call: whole or not at all, whenever the process is killed.
fn say(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}
