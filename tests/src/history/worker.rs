//! A process, from its command line to its log.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::config::WorkerConfig;
use super::log::{Record, Settled};
use super::source::{Phase, Source};
use super::space::Space;
use super::subject::Subject;
use super::value::{Made, ValueId};
use super::workload::Life;

/// How long a task may take to finish what it has begun.
const HANGS: Duration = Duration::from_secs(30);

/// How often it is looked whether the phase has changed, or a key is current.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Lives through all phases, and writes its log: at the end, or at a SIGTERM.
///
/// # Panics
///
/// If what it was told makes no sense, its source is not there, or its log cannot be written.
pub async fn run(config: WorkerConfig) {
    let space = Space::new(config.processes);
    let source = Source::connect(&config.source).await.expect("the source listens");
    let subject = Subject::open(&config.backend, config.mode, config.disk.as_deref());
    let path = config.log.clone();
    let life = Life::new(config, space, source, subject);
    let mut terminated = signal(SignalKind::terminate()).expect("signals can be handled");
    tokio::select! {
        () = all_phases(&life) => {}
        _ = terminated.recv() => {}
        // There is no process to read the log.
        () = life.source.gone() => return,
    }
    life.recorder.count(|tally| tally.from_disk = life.subject.from_disk());
    life.recorder.write(&path).expect("the log can be written");
}

async fn all_phases(life: &Arc<Life>) {
    let process = life.config.process;
    let tasks = begin(life);
    life.source.done(process, Phase::Live).await;
    phase(life, Phase::Quiet).await;
    life.end();
    for task in tasks {
        match timeout(HANGS, task).await {
            Ok(outcome) => outcome.expect("a task that panics fails the test"),
            Err(_) => life.recorder.count(|tally| tally.hung += 1),
        }
    }
    life.source.done(process, Phase::Quiet).await;
    phase(life, Phase::Settle).await;
    settle(life).await;
    life.source.done(process, Phase::Settle).await;
    phase(life, Phase::End).await;
}

fn begin(life: &Arc<Life>) -> Vec<JoinHandle<()>> {
    let mut random = fastrand::Rng::with_seed(life.config.seed);
    let pace = life.config.pace;
    let readers = (0..pace.readers).map(|_| tokio::spawn(life.clone().reader(random.fork())));
    let mut tasks: Vec<_> = readers.collect();
    tasks.extend((0..pace.changers).map(|_| tokio::spawn(life.clone().changer(random.fork()))));
    tasks.push(tokio::spawn(life.clone().watch()));
    tasks.push(tokio::spawn(life.clone().weigh()));
    if life.config.life > 0 {
        tasks.push(tokio::spawn(life.clone().make_good()));
    }
    tasks
}

/// Waits for a phase.
async fn phase(life: &Life, wanted: Phase) {
    while life.source.phase().await < wanted {
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Reads every key until it is current: no worker changes anything any more.
async fn settle(life: &Arc<Life>) {
    let begun = Instant::now();
    let limit = life.config.settles_within;
    for key in 0..life.space.keys.len() {
        loop {
            let value = life.read_at_end(key).await;
            let mut current = value.is_some();
            if let Some(value) = &value {
                current = is_current(life, value).await;
            }
            let took = begun.elapsed();
            if current || took > limit {
                let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
                let value: Option<ValueId> = value.map(|value| value.id);
                life.recorder.add(&Record::Settled(Settled { key, took, current, value }));
                break;
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// Whether every version in a value is the one that the source has.
async fn is_current(life: &Life, value: &Made) -> bool {
    let mut versions = Vec::new();
    value.each(&mut |part| versions.extend(part.version.map(|version| (part.key, version))));
    for (key, version) in versions {
        if life.source.version(key).await != version {
            return false;
        }
    }
    true
}
