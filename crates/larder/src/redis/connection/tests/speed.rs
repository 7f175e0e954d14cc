//! What this layer adds to the crate: `cargo test -p larder --release --lib -- --ignored --nocapture speed`.

use ::redis::aio::MultiplexedConnection;
use larder_servers::RedisServer;

use super::*;

const CALLS: usize = 60_000;

async fn raw(connection: &MultiplexedConnection, tasks: usize) -> Duration {
    let began = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                for _ in 0..CALLS / tasks {
                    connection.send_packed_command(&get("k").words).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    began.elapsed()
}

async fn ours(connections: &Connections, tasks: usize) -> Duration {
    let began = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            let connections = connections.clone();
            tokio::spawn(async move {
                for _ in 0..CALLS / tasks {
                    connections.call(&get("k")).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: it proves nothing on a busy machine"]
async fn speed() {
    let server = RedisServer::start();
    let connections = Connections::new(config(builder(server.url()).deadline(Duration::from_secs(5))), None);
    connections.call(&set("k", "value")).await.unwrap();
    let client = ::redis::Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    for tasks in [1, 64, 256] {
        let mut rounds: Vec<(Duration, Duration)> = Vec::new();
        for _ in 0..9 {
            rounds.push((raw(&connection, tasks).await, ours(&connections, tasks).await));
        }
        let mut ratios: Vec<_> =
            rounds.iter().map(|(raw, ours)| ours.as_secs_f64() / raw.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        let best = |pick: fn(&(Duration, Duration)) -> Duration| rounds.iter().map(pick).min().unwrap();
        let per_call = |time: Duration| time.as_secs_f64() * 1e6 / CALLS as f64;
        println!(
            "{tasks:3} tasks: raw {:.2} us a call, ours {:.2} us, median ratio {:.3}",
            per_call(best(|round| round.0)),
            per_call(best(|round| round.1)),
            ratios[ratios.len() / 2]
        );
    }
}
