//! The one rule, live: random operations from several tasks, all of them logged, and a proof from the log
//! that no read which started after an invalidation had returned gave a value whose computation began
//! before that invalidation was called; and that none which finds only what is fresh, or whose policy has no window for
//! what is not, gave one from before a mark.
//!
//! `LARDER_SOAK=<seconds>` runs it for longer.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and tell what it did")]

mod checker;
mod log;
mod world;

use std::time::{Duration, Instant};

use self::{
    checker::Checker,
    log::Log,
    world::{Habit, World},
};

const TASKS: usize = 6;
const ROUND: Duration = Duration::from_millis(250);

/// Longer than any round takes.
const HANGS: Duration = Duration::from_secs(60);

/// Less would prove nothing. A busy machine takes longer for it than for the time that is given.
fn is_enough(log: &Log) -> bool {
    log.changes_made > 1_000 && log.values_read > 10_000 && log.kept > 50 && log.from_cache > 1_000
}

/// Runs rounds until the time is over and enough was checked, or a violation is found. Gives that, and how much was checked.
async fn run(habit: Habit, time: Duration) -> Result<Log, String> {
    let seed = std::env::var("LARDER_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new(habit);
    let mut checker = Checker::new(world.scope_count(), world.key_count());
    let mut total = Log::default();
    let start = Instant::now();
    while start.elapsed() < time || (!is_enough(&total) && start.elapsed() < HANGS) {
        let round_end = Instant::now() + ROUND;
        let tasks: Vec<_> =
            (0..TASKS).map(|_| tokio::spawn(world.clone().live(random.fork(), round_end))).collect();
        let mut log = Log::default();
        for task in tasks {
            log.append(tokio::time::timeout(HANGS, task).await.expect("it hangs").unwrap());
        }
        checker.check(&world, &log).map_err(|violation| format!("seed {seed}: {violation}"))?;
        total.count(&log);
    }
    println!(
        "{} reads of {} values, {} of them kept, {} invalidations",
        total.reads_made, total.values_read, total.kept, total.changes_made
    );
    Ok(total)
}

fn seconds(default: f64) -> Duration {
    let soak = std::env::var("LARDER_SOAK").ok().map(|seconds| seconds.parse().unwrap());
    Duration::from_secs_f64(soak.unwrap_or(default))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_gives_what_was_invalidated_before_it() {
    let log = run(Habit::Right, seconds(4.0)).await.unwrap_or_else(|violation| panic!("{violation}"));
    assert!(is_enough(&log), "too little happened to prove anything");
}

/// Longer than any violation was ever seen to take.
const CATCH: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_insert_of_what_was_read_earlier_is_caught() {
    run(Habit::InsertsWhatWasReadEarlier, CATCH).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_computation_that_hides_what_it_reads_is_caught() {
    run(Habit::HidesItsReads, CATCH).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_invalidation_that_is_never_applied_is_caught() {
    run(Habit::ForgetsToInvalidate, CATCH).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mark_in_place_of_an_invalidation_is_caught() {
    run(Habit::MarksInPlaceOfInvalidating, CATCH).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mark_that_is_never_made_is_caught() {
    run(Habit::ForgetsToMark, CATCH).await.unwrap_err();
}
