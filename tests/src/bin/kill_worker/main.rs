//! A process that works until it is killed: `kill_worker writes …` or `kill_worker events …`.

mod events;
mod process;
mod writes;

use self::process::Failure;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((what, words)) if what == "writes" => writes::run(words).await,
        Some((what, words)) if what == "events" => events::run(words).await,
        _ => Err("what to work at is needed".into()),
    }
}
