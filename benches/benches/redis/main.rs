//! What Redis costs through larder, beside the raw `redis` crate, on a server of its own: time for one caller,
//! time and throughput for many at once, instructions, and how long the news of an invalidation takes.
//!
//! With a part of a group's name (`-- hit`), only such groups are measured.

mod delivery;
mod ours;
mod raw;
mod sealing;
mod timing;
mod ways;
mod work;

use std::{env, process::ExitCode, time::Duration};

use larder_benches::counter::Counter;
use larder_servers::RedisServer;
use tokio::runtime::{Builder, Runtime};

use self::{
    delivery::{CALLS, DELIVERIES, Delivery},
    timing::{Field, Timing},
    ways::{GROUPS, Group},
};

const ROUNDS: usize = 40;

/// How many tasks at once, and how many times more work than for one.
const CROWDS: [(u64, u64); 2] = [(64, 8), (256, 8)];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let [_, flag, url, group, way, tasks, times] = &*arguments
        && flag == "--run"
    {
        let number = |text: &str| text.parse().expect("this program itself wrote it");
        run(url, (number(group) as usize, number(way) as usize), number(tasks), number(times));
        return ExitCode::SUCCESS;
    }
    let wanted = arguments.iter().skip(1).find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| wanted.is_none_or(|part| name.contains(&**part));
    report(&is_wanted);
    ExitCode::SUCCESS
}

/// Does something so many times, for its instructions to be counted.
fn run(url: &str, (group, way): (usize, usize), tasks: u64, times: u64) {
    let runtime = one_thread();
    let run = runtime.block_on((GROUPS[group].ways[way].prepare)(url.to_owned()));
    // Not the keys of any other run.
    timing::turn(&runtime, &run, tasks, fastrand::u64(1 << 20..1 << 32), times);
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made")
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn report(is_wanted: &dyn Fn(&str) -> bool) {
    let server = RedisServer::start();
    let url = server.url();
    for (index, group) in GROUPS.iter().enumerate().filter(|(_, group)| is_wanted(group.name)) {
        // Before each: what another group has invalidated is there again.
        one_thread().block_on(async {
            raw::fill(&url).await;
            ours::fill(&url).await;
        });
        println!("\n{}\n", group.name);
        instructions(index, group, &url);
        for (name, runtime) in [("one thread", one_thread()), ("two threads", two_threads())] {
            let mut field = Field::new(&runtime, group, &url);
            table(&format!("{name}, one task"), group, &field.measure(ROUNDS, 1, group.times));
            for (tasks, more) in CROWDS {
                let times = (group.times * more).next_multiple_of(tasks);
                let timings = field.measure(ROUNDS / 2, tasks, times);
                table(&format!("{name}, {tasks} tasks"), group, &timings);
            }
        }
    }
    if is_wanted("delivery") {
        one_thread().block_on(ours::fill(&url));
        let runtime = two_threads();
        let mut delivery = Delivery::new(&runtime, &url);
        // Often enough for both, and longer apart than connections are left without a question.
        for (rounds, pause) in [(1_000, Duration::from_millis(1)), (100, Duration::from_millis(120))] {
            let name = format!("delivery to another process, every {pause:?}");
            percentiles(&name, DELIVERIES, &delivery.deliveries(rounds, pause));
        }
        percentiles("what a caller waits for", CALLS, &delivery.calls(30, 100));
    }
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn percentiles(name: &str, ways: [&str; 3], delays: &[Vec<f64>; 3]) {
    println!("\n| {name} | p50 µs | p99 µs | to raw | to raw |\n| --- | --: | --: | --: | --: |");
    let of = |delays: &[f64]| [delays[delays.len() / 2], delays[delays.len() * 99 / 100]];
    let [base_middle, base_late] = of(&delays[0]);
    for (way, delays) in ways.iter().zip(delays) {
        let [middle, late] = of(delays);
        let (to_middle, to_late) = (middle / base_middle, late / base_late);
        println!("| {way} | {middle:.0} | {late:.0} | {to_middle:.2} | {to_late:.2} |");
    }
}

#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn table(name: &str, group: &Group, timings: &[Timing]) {
    println!("| {name} | µs each | to raw | quarters |\n| --- | --: | --: | --: |");
    for (way, Timing { micros, ratio: [middle, low, high] }) in group.ways.iter().zip(timings) {
        println!("| {} | {micros:.1} | {middle:.3} | {low:.3}–{high:.3} |", way.name);
    }
    println!();
}

/// Of a process' own code, with one task and with 64.
#[expect(clippy::print_stdout, reason = "it is what this is for")]
fn instructions(index: usize, group: &Group, url: &str) {
    let Some(counter) = Counter::find() else { return };
    let program = std::env::current_exe().expect("the program has a path");
    let program = program.to_str().expect("its path is a text");
    println!("| instructions by {} | one task | to raw | 64 tasks | to raw |", counter.name());
    println!("| --- | --: | --: | --: | --: |");
    let mut base = None;
    for (number, way) in group.ways.iter().enumerate() {
        let count = |tasks: u64, times: u64| {
            let arguments = ["--run", url, &index.to_string(), &number.to_string(), &tasks.to_string()];
            counter.measure(program, &arguments, times).unwrap_or(f64::NAN)
        };
        let counts = [count(1, group.times * 4), count(64, (group.times * 8).next_multiple_of(64))];
        let base = base.get_or_insert(counts);
        let [(one, to_one), (many, to_many)] =
            [0, 1].map(|crowd| (counts[crowd], counts[crowd] / base[crowd]));
        println!("| {} | {one:.0} | {to_one:.2} | {many:.0} | {to_many:.2} |", way.name);
    }
    println!();
}
