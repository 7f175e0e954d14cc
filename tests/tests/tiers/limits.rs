//! Rate limits that two real processes share through Sentinel: never more than is documented, and no call fails or hangs,
//! also while another master takes over.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use larder_servers::RedisSentinel;
use larder_tests::workers::Worker;

/// Of the worker's limits, which have a burst of as many.
const RATE: f64 = 50.0;

/// What a limit admitted in both processes, and how long it took.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    allowed: f64,
    refused: f64,
    longest_ms: u64,
}

/// Has all processes ask for a key, while `meanwhile` happens; says what each limit admitted, and in what time at most.
fn ask(
    workers: &mut [Worker],
    key: &str,
    ms: u64,
    meanwhile: impl FnOnce(),
) -> (HashMap<String, Sum>, Duration) {
    let begun = Instant::now();
    workers.iter_mut().for_each(|worker| worker.order(&format!("limit {key} 4 {ms}")));
    meanwhile();
    let mut sums: HashMap<String, Sum> = HashMap::new();
    for worker in workers {
        for line in worker.lines_to("done") {
            let words: Vec<_> = line.split(' ').collect();
            let ["limited", name, numbers @ ..] = &words[..] else { continue };
            let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().unwrap()).collect();
            let sum = sums.entry((*name).to_owned()).or_default();
            sum.allowed += numbers[0] as f64;
            sum.refused += numbers[1] as f64;
            sum.longest_ms = sum.longest_ms.max(numbers[2]);
        }
    }
    (sums, begun.elapsed())
}

#[test]
fn two_processes_hold_a_limit_through_a_failover() {
    let sentinel = RedisSentinel::start();
    let hosts: Vec<_> = sentinel.urls().iter().map(|url| url.replace("redis://", "")).collect();
    let url = format!("redis+sentinel://{}/{}", hosts.join(","), RedisSentinel::SERVICE);
    let start = || Worker::start(env!("CARGO_BIN_EXE_worker"), &[&url, "10000", "250"]);
    let mut workers = [start(), start()];
    let settled = |workers: &mut [Worker]| {
        for worker in workers {
            worker.order("limits");
            worker.wait_for("limits");
        }
    };
    let most = |took: Duration| RATE + RATE * took.as_secs_f64() + 1.0;

    settled(&mut workers);
    for phase in ["before", "during", "after"] {
        let is_during = phase == "during";
        let (sums, took) = match is_during {
            true => ask(&mut workers, phase, 4_000, || _ = sentinel.kill_master()),
            false => ask(&mut workers, phase, 1_000, || {}),
        };
        assert_eq!(sums.len(), 3, "{sums:?}");
        for (name, sum) in sums {
            println!("{phase} {name}: {sum:?} in {took:?}");
            let limit = match (is_during, &*name) {
                (false, _) => most(took),
                // The new master may lack what the old one admitted last: a burst.
                (true, "function" | "closed") => most(took) + RATE,
                // And each process for itself, while there is no master.
                (true, _) => 3.0 * most(took) + RATE,
            };
            assert!(sum.allowed <= limit, "{phase}, {name}: {sum:?} in {took:?}, {limit} at most");
            // Both asked for a second at least; a failover may take longer than this phase.
            let least = if is_during && name != "local" { 1.0 } else { 0.9 * RATE };
            assert!(sum.allowed >= least && sum.refused > 0.0, "{phase}, {name}: {sum:?} in {took:?}");
            // The deadline is 250 ms; what a busy machine takes comes on top.
            assert!(sum.longest_ms < 5_000, "{phase}, {name}: {sum:?}");
        }
        settled(&mut workers);
    }
}
