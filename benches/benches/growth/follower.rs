//! Processes of their own: one that follows a log, and one that invalidates.

use std::{
    env,
    io::{BufRead, BufReader, Write, stdin, stdout},
    process::{self, Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use larder::{CacheExt, MemoryCache, RedisCache, TieredCache};
use tokio::runtime::Builder;

use crate::usage;

/// What a follower says of itself when it is asked.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    pub(crate) records: u64,
    pub(crate) cpu: Duration,
    pub(crate) memory: u64,
    pub(crate) out_of_touch: Duration,
}

/// A follower, from outside; ends with its standard input.
pub(crate) struct Follower {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Follower {
    /// Starts one; returns before it follows.
    pub(crate) fn start(url: &str) -> Self {
        let mut child = command(&["--follow", url]).spawn().expect("this program starts again");
        let (ask, answers) = (child.stdin.take(), child.stdout.take());
        let (ask, answers) = (ask.expect("it is piped"), BufReader::new(answers.expect("it is piped")));
        Self { child, ask, answers }
    }

    pub(crate) fn report(&mut self) -> Report {
        writeln!(self.ask, "report").expect("the follower is there");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the follower answers");
        let numbers: Vec<u64> = line.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        let [records, cpu, memory, out_of_touch] = numbers[..] else {
            panic!("four numbers, and not {line}")
        };
        let [cpu, out_of_touch] = [cpu, out_of_touch].map(Duration::from_nanos);
        Report { records, cpu, memory, out_of_touch }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().expect("the program has a path"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// The program of a follower: all of it in one thread.
#[expect(clippy::print_stdout, reason = "it is read by the process that started this one")]
pub(crate) fn follow(url: &str) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let cache = runtime.block_on(RedisCache::connect(url)).expect("the server is there");
    let cache = TieredCache::new(MemoryCache::new(10_000), cache);
    let (asked, mut questions) = tokio::sync::mpsc::unbounded_channel();
    thread::spawn(move || stdin().lines().all(|line| line.is_ok() && asked.send(()).is_ok()));
    runtime.block_on(async {
        while questions.recv().await.is_some() {
            let link = cache.link();
            let (cpu, memory) = (usage::of_this_process().as_nanos(), usage::memory(process::id()));
            println!("{} {cpu} {memory} {}", link.records, link.out_of_touch.as_nanos());
            stdout().flush().expect("the other process reads");
        }
    });
}

/// A process that invalidates keys, until it is dropped.
pub(crate) struct Invalidator(Child);

impl Invalidator {
    /// So many that together they invalidate so many keys a second, as far as the machine lets them: 1,000 each.
    pub(crate) fn start_several(url: &str, rate: u64) -> Vec<Self> {
        let start = |rate: u64| {
            let child = command(&["--invalidate", url, &rate.to_string()]).spawn();
            Self(child.expect("this program starts again"))
        };
        let whole = (0..rate / 1_000).map(|_| start(1_000));
        whole.chain((!rate.is_multiple_of(1_000)).then(|| start(rate % 1_000))).collect()
    }
}

impl Drop for Invalidator {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The program of that. Each is waited for before the next one begins, so that each is a record of its own.
pub(crate) fn invalidate(url: &str, rate: u64) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        let cache = RedisCache::connect(url).await.expect("the server is there");
        let (begun, mut sent) = (Instant::now(), 0);
        loop {
            let due = u64::try_from(begun.elapsed().as_millis()).expect("not so long") * rate / 1_000;
            if sent >= due {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
            let _in_the_log = cache.invalidate(format!("other:{}", sent % 100_000)).await;
            sent += 1;
        }
    });
}
