//! Processes of the test's own, that do what they are told line by line: see `src/bin/worker`.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use larder_servers::DEADLINE;

/// A process, killed when dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    orders: ChildStdin,
    lines: Receiver<String>,
}

impl Worker {
    /// Starts a program, and waits until it says `ready`.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[must_use]
    pub fn start(program: &str, words: &[&str]) -> Self {
        let child = Command::new(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the program was built");
        let orders = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let worker = Self { child, orders, lines };
        worker.wait_for("ready");
        worker
    }

    /// Gives an order.
    ///
    /// # Panics
    ///
    /// If it is dead.
    pub fn order(&mut self, line: &str) {
        writeln!(self.orders, "{line}").expect("it lives");
    }

    /// All lines up to one that begins with `word`, which is the last of them.
    ///
    /// # Panics
    ///
    /// If there is none in time.
    #[track_caller]
    #[must_use = "what was said before is gone"]
    pub fn lines_to(&self, word: &str) -> Vec<String> {
        let end = Instant::now() + DEADLINE;
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => said.push(line),
                Err(error) => panic!("{word:?} was never said ({error}), but {said:?}"),
            }
            if said.last().is_some_and(|line| line.split(' ').next() == Some(word)) {
                return said;
            }
        }
    }

    /// Waits for a line that begins with `word`, and returns the words after it.
    ///
    /// # Panics
    ///
    /// If there is none in time.
    #[track_caller]
    pub fn wait_for(&self, word: &str) -> Vec<String> {
        let last = self.lines_to(word).pop().unwrap_or_default();
        last.split(' ').skip(1).map(str::to_owned).collect()
    }

    /// Whether it says a line that begins with `word` within this time. What it says before is forgotten.
    #[must_use]
    pub fn says_within(&self, word: &str, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.split(' ').next() == Some(word) => return true,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// The next line, if there is one within this time.
    #[must_use]
    pub fn line_within(&self, limit: Duration) -> Option<String> {
        self.lines.recv_timeout(limit).ok()
    }

    /// Whether it has not ended.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL: it has no time for anything.
    pub fn kill(mut self) {
        self.end();
    }

    /// The same; all that it had said.
    #[must_use]
    pub fn kill_and_read(mut self) -> Vec<String> {
        self.end();
        self.lines.iter().collect()
    }

    fn end(&mut self) {
        // Fails where it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}
