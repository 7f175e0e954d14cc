//! What it costs, for the documentation: run with `--ignored --nocapture`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use larder::write_behind::{Batch, SinkError, WriteBehind};
use larder_servers::RedisServer;

use crate::{database::LONG, processes::cache};

/// How many writes are under way at once.
const AT_ONCE: [usize; 3] = [1, 16, 256];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn speed() {
    let server = RedisServer::start();
    let cache = cache(&server.url()).await;
    for tasks in AT_ONCE {
        let begun: Arc<Mutex<HashMap<u64, Instant>>> = Arc::default();
        let latencies: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
        let sink = {
            let (begun, latencies, sizes) = (begun.clone(), latencies.clone(), sizes.clone());
            move |batch: Batch<u64>| {
                let mut begun = begun.lock().unwrap();
                let of = |number: u64| begun.remove(&number).map(|begun| begun.elapsed());
                latencies.lock().unwrap().extend(batch.iter().map(|write| *write.value()).filter_map(of));
                sizes.lock().unwrap().push(batch.len());
                async { Ok::<_, SinkError>(()) }
            }
        };
        let name = format!("speed-{tasks}");
        let queue = WriteBehind::builder(name).redis(&cache).keep_all().start(sink).unwrap();
        let time = Duration::from_secs(5);
        let start = Instant::now();
        let writers = (0..tasks as u64).map(|task| {
            let (queue, begun) = (queue.clone(), begun.clone());
            tokio::spawn(async move {
                let mut number = task << 32;
                while start.elapsed() < time {
                    begun.lock().unwrap().insert(number, Instant::now());
                    queue.write(&task.to_string(), &number).await.unwrap();
                    number += 1;
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let rate = queue.stats().acknowledged as f64 / start.elapsed().as_secs_f64();
        assert!(queue.flush(LONG).await.unwrap());
        let mut latencies = latencies.lock().unwrap().clone();
        latencies.sort_unstable();
        let part = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
        let sizes = sizes.lock().unwrap();
        let batch = sizes.iter().sum::<usize>() / sizes.len();
        println!(
            "{tasks} at once: {rate:.0} acknowledged a second; to the sink p50 {:?}, p99 {:?}; batches of {batch}",
            part(0.5),
            part(0.99)
        );
    }
}
