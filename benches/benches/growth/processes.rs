//! Processes that follow one log: how much of a core they and the server need for it, and what a reconnect costs.

use std::{
    thread,
    time::{Duration, Instant},
};

use larder_servers::RedisServer;

use crate::{
    follower::{Follower, Invalidator, Report},
    usage,
};

const SECONDS: Duration = Duration::from_secs(5);
const RECONNECT: Duration = Duration::from_secs(3);

/// What was measured with so many followers, and so many records a second.
pub(crate) struct Load {
    pub(crate) followers: f64,
    pub(crate) records: f64,
    /// Shares of a core.
    pub(crate) server: f64,
    pub(crate) follower: f64,
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
pub(crate) fn measure(server: &RedisServer) -> Vec<Load> {
    println!(
        "\n| processes on one log | records a second | server, of a core | each process, of a core | its memory, MiB |"
    );
    println!("| --: | --: | --: | --: | --: |");
    let mut loads = Vec::new();
    for followers in [1, 4, 16, 64] {
        let mut all: Vec<_> = (0..followers).map(|_| Follower::start(&server.url())).collect();
        for rate in [100, 1_000, 4_000] {
            let _invalidators = Invalidator::start_several(&server.url(), rate);
            wait_for_records(&mut all);
            loads.push(with(server, &mut all));
        }
        reconnect(server, &mut all);
    }
    loads
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
#[expect(clippy::cast_precision_loss, reason = "there are few")]
fn with(server: &RedisServer, all: &mut [Follower]) -> Load {
    let id = server.process_id().expect("the server is up");
    let (before, at_server, begun) = (reports(all), usage::of_process(id), Instant::now());
    thread::sleep(SECONDS);
    let (after, at_server, took) =
        (reports(all), usage::of_process(id) - at_server, begun.elapsed().as_secs_f64());
    let load = Load {
        followers: all.len() as f64,
        records: mean(&before, &after, |report| report.records as f64) / took,
        server: at_server.as_secs_f64() / took,
        follower: mean(&before, &after, |report| report.cpu.as_secs_f64()) / took,
    };
    let memory = after.iter().map(|report| report.memory).sum::<u64>() / all.len() as u64 / (1 << 20);
    let [at_server, at_follower] = [load.server, load.follower].map(|share| share * 100.0);
    println!("| {} | {:.0} | {at_server:.1} % | {at_follower:.2} % | {memory} |", all.len(), load.records);
    load
}

/// What it costs that all are cut off at once.
#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn reconnect(server: &RedisServer, all: &mut [Follower]) {
    let id = server.process_id().expect("the server is up");
    thread::sleep(RECONNECT);
    let (before, at_server) = (reports(all), usage::of_process(id));
    server.command::<u64>(&["CLIENT", "KILL", "TYPE", "normal"]);
    thread::sleep(RECONNECT);
    let (after, at_server) = (reports(all), usage::of_process(id) - at_server);
    let cut_off = mean(&before, &after, |report| report.out_of_touch.as_secs_f64()) * 1e3;
    let cpu = mean(&before, &after, |report| report.cpu.as_secs_f64()) * 1e3;
    println!(
        "| {}, cut off and connected again: {cut_off:.0} ms | | {:.1} ms | {cpu:.1} ms | |",
        all.len(),
        at_server.as_secs_f64() * 1e3,
    );
}

/// Until each follows.
fn wait_for_records(followers: &mut [Follower]) {
    for follower in followers {
        let first = follower.report().records;
        let begun = Instant::now();
        while follower.report().records == first {
            assert!(begun.elapsed() < Duration::from_secs(60), "a follower has no records");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn reports(followers: &mut [Follower]) -> Vec<Report> {
    followers.iter_mut().map(Follower::report).collect()
}

/// By how much something grew, of each.
#[expect(clippy::cast_precision_loss, reason = "there are few")]
fn mean(before: &[Report], after: &[Report], of: impl Fn(&Report) -> f64) -> f64 {
    let grown = before.iter().zip(after).map(|(before, after)| of(after) - of(before));
    grown.sum::<f64>() / before.len() as f64
}
