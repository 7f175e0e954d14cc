//! Starts the processes of a run, lets them live while faults disturb them, and collects their logs.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use tempfile::TempDir;

use super::checker::{self, Losses, Report, Window};
use super::clock;
use super::config::{Backend, Mode, Pace, WorkerConfig};
use super::log::Log;
use super::source::{Phase, SourceServer};
use super::space::Space;
use larder_servers::{Process, until};

/// How long everything may take to become current, unless told otherwise.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);

/// Probes of what a worker says are this far apart.
const BETWEEN_PROBES: Duration = Duration::from_millis(5);

/// What a run is made of.
pub struct Setup<'a> {
    /// The program of the worker.
    pub worker: &'a Path,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// For each process: its cache, and what that serves while it is disconnected.
    pub processes: Vec<(Backend, Mode)>,
    /// Which process has a disk tier, if one has: it is the same one after the process was killed.
    pub on_disk: Option<usize>,
    /// How much each does.
    pub pace: Pace,
    /// For how long.
    pub lasts: Duration,
    /// Whether there is one log all the time: see [`Losses::epochs_rise`].
    pub epochs_rise: bool,
    /// Whether the logs are to be kept if a promise was broken: no test expects that.
    pub keeps_logs: bool,
}

/// A run that is under way.
pub struct Live<'a> {
    setup: &'a Setup<'a>,
    room: &'a Room,
    end: Instant,
    workers: Vec<Mutex<Worker>>,
    windows: Mutex<Vec<Window>>,
}

/// A process of a run, through all its lives.
struct Worker {
    process: Process,
    life: u8,
}

impl Live<'_> {
    /// Whether the time is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// For how long it all lasts.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        self.setup.lasts
    }

    /// For how long it has lasted.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.lasts().saturating_sub(self.end.saturating_duration_since(Instant::now()))
    }

    /// Sleeps for a time between these, but not beyond the end.
    pub fn rest(&self, random: &mut fastrand::Rng, least: Duration, most: Duration) {
        let rest = least + (most - least).mul_f64(random.f64());
        thread::sleep(rest.min(self.end.saturating_duration_since(Instant::now())));
    }

    /// Does something while a worker is stopped.
    pub fn while_stopped<R>(&self, worker: usize, what: impl FnOnce() -> R) -> R {
        let worker = self.workers[worker].lock().unwrap_or_else(PoisonError::into_inner);
        worker.process.pause();
        let result = what();
        worker.process.resume();
        result
    }

    /// Kills a worker, does something, and starts it again: with its number and its keys, and nothing else.
    pub fn while_dead<R>(&self, number: usize, what: impl FnOnce() -> R) -> R {
        let mut worker = self.workers[number].lock().unwrap_or_else(PoisonError::into_inner);
        worker.process.kill();
        let result = what();
        let life = worker.life + 1;
        *worker = self.room.start(self.setup, (number, life), self.setup.pace);
        result
    }

    /// Does something that may lose what was acknowledged while it is done, and nothing else.
    pub fn may_lose<R>(&self, what: impl FnOnce() -> R) -> R {
        let from = clock::now();
        let result = what();
        let window = Window { from, until: clock::now() };
        self.windows.lock().unwrap_or_else(PoisonError::into_inner).push(window);
        result
    }

    /// The worker that has a disk tier.
    #[must_use]
    pub fn on_disk(&self) -> Option<usize> {
        self.setup.on_disk
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers.len()
    }
}

/// Runs, and checks. `disturb` returns, with everything healed, when the time is over.
///
/// # Panics
///
/// If a worker dies or hangs. What the workers have said is in the message.
#[must_use]
pub fn run(setup: &Setup<'_>, disturb: impl FnOnce(&Live<'_>)) -> Report {
    let room = Room::new(setup);
    let count = setup.processes.len();
    let workers = (0..count).map(|number| Mutex::new(room.start(setup, (number, 0), setup.pace))).collect();
    let mut live = Live { setup, room: &room, end: Instant::now(), workers, windows: Mutex::default() };
    room.wait(&live.workers, Phase::Live);
    live.end = Instant::now() + setup.lasts;
    disturb(&live);
    thread::sleep(live.end.saturating_duration_since(Instant::now()));

    room.source.set_phase(Phase::Quiet);
    room.wait(&live.workers, Phase::Quiet);
    // One that was not there before, and has nothing but what the others have left on the server.
    live.workers.push(Mutex::new(room.start(setup, (count, 0), Pace::WITNESS)));
    room.source.set_phase(Phase::Settle);
    room.wait(&live.workers, Phase::Settle);
    room.source.set_phase(Phase::End);
    for (number, worker) in live.workers.iter().enumerate() {
        until("a worker writes its log", || room.log(number).exists().then_some(()));
        drop(worker.lock());
    }
    let processes: Vec<_> = (0..=count).map(|number| room.process(setup, number)).collect();
    let windows = live.windows.into_inner().unwrap_or_else(PoisonError::into_inner);
    let losses = Losses { windows, epochs_rise: setup.epochs_rise };
    let report = checker::check(&room.space, &processes, &losses);
    if report.violation_count > 0 && setup.keeps_logs {
        room.keep();
    }
    report
}

/// Everything that the workers of a run have in common.
struct Room {
    directory: Option<TempDir>,
    path: PathBuf,
    space: Space,
    source: SourceServer,
    seed: u64,
}

impl Room {
    fn new(setup: &Setup<'_>) -> Self {
        let directory = TempDir::with_prefix("larder-history-").expect("a directory can be made");
        let path = directory.path().to_owned();
        let space = Space::new(u8::try_from(setup.processes.len()).expect("a handful"));
        let source = SourceServer::start(&path.join("source"), space.keys.len()).expect("the source starts");
        let seed = env::var("LARDER_SEED").ok().and_then(|seed| seed.parse().ok());
        Self {
            directory: Some(directory),
            path,
            space,
            source,
            seed: seed.unwrap_or_else(|| fastrand::u64(..)),
        }
    }

    fn log(&self, number: usize) -> PathBuf {
        self.path.join(format!("{number}.history"))
    }

    fn output(&self, number: usize) -> PathBuf {
        self.path.join(format!("{number}.output"))
    }

    /// Who comes last does as the first one does.
    fn place<'a>(setup: &'a Setup<'_>, number: usize) -> &'a (Backend, Mode) {
        setup.processes.get(number).unwrap_or(&setup.processes[setup.processes.len() - 1])
    }

    fn start(&self, setup: &Setup<'_>, (number, life): (usize, u8), pace: Pace) -> Worker {
        let (backend, mode) = Self::place(setup, number).clone();
        let process = u8::try_from(number).expect("a handful");
        let config = WorkerConfig {
            process,
            processes: u8::try_from(setup.processes.len()).expect("a handful"),
            life,
            seed: self.seed.wrapping_add(u64::from(process) | u64::from(life) << 8),
            source: self.path.join("source"),
            log: self.log(number),
            backend,
            disk: setup.on_disk.filter(|on_disk| *on_disk == number).map(|_| self.path.join("disk")),
            mode,
            pace,
            settles_within: SETTLES_WITHIN,
        };
        let argument = serde_json::to_string(&config).expect("a configuration can be written");
        let output = File::create(self.output(number)).expect("a file can be made");
        // Through `env`, which becomes the worker.
        let variables = setup.environment.iter().map(|(name, value)| format!("{name}={value}").into());
        let mut arguments: Vec<OsString> = variables.collect();
        arguments.extend([setup.worker.into(), argument.into()]);
        let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        // If this process is killed, the workers are, and their files with them.
        let process = Process::start("env".as_ref(), &arguments, &self.path, &output);
        Worker { process: process.expect("a shell starts"), life }
    }

    /// Waits until all workers have done what the phase asks for.
    fn wait(&self, workers: &[Mutex<Worker>], phase: Phase) {
        for (number, worker) in workers.iter().enumerate() {
            let process = u8::try_from(number).expect("a handful");
            until("a worker does what the phase asks for", || {
                if self.source.is_done(process, phase) {
                    return Some(());
                }
                let ended = worker.lock().unwrap_or_else(PoisonError::into_inner).process.exited();
                if let Some(status) = ended {
                    let said = fs::read_to_string(self.output(number)).unwrap_or_default();
                    panic!("worker {number} ended with {status}:\n{said}");
                }
                thread::sleep(BETWEEN_PROBES);
                None
            });
        }
    }

    fn process(&self, setup: &Setup<'_>, number: usize) -> checker::Process {
        let log = Log::read(&self.log(number)).expect("a log that was written can be read");
        checker::Process { mode: Self::place(setup, number).1, log }
    }

    /// Leaves everything for people to look at.
    #[expect(clippy::print_stderr, reason = "said by a test that is about to fail")]
    fn keep(mut self) {
        if let Some(directory) = self.directory.take() {
            eprintln!("seed {}, logs in {}", self.seed, directory.keep().display());
        }
    }
}
