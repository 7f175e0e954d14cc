//! Connecting again, in the background: one task a connection, in the runtime of the call that noticed.

use std::{
    sync::{
        Arc, Weak,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use ::redis::{Cmd, Value};
use tokio::{runtime::Handle, time::Instant};

use super::{
    Destination, ServerLink,
    line::{Live, Stage},
    spares::Spares,
};
use crate::{
    backoff::jittered,
    link::Operation,
    redis::{
        capabilities,
        connection::{
            ConnectError,
            address::Address,
            dial::{Dialed, dial},
            raw_commands::words,
            sentinel,
        },
        server_findings::Findings,
        server_info::{Role, ServerInfo},
    },
    sync::plain::lock,
};

/// How often the sentinels are asked whether our master is still theirs. A master that is replaced in good
/// order closes its connections; this is for one that was cut off from the sentinels, and not from us.
const WATCH: Duration = Duration::from_secs(5);

/// Pauses between attempts that the log's connection has not admitted yet.
const ADMISSION: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// So many attempts are refused, in half a second, before callers no longer wait.
const PATIENCE: u32 = 8;

/// Lets another task begin, however this one ends.
struct Ended {
    link: Weak<ServerLink>,
    line: usize,
    task: u64,
}

impl Drop for Ended {
    fn drop(&mut self) {
        let Some(link) = self.link.upgrade() else { return };
        let line = &link.lines[self.line];
        let mut repair = lock(&line.repair);
        let is_idle = repair.task == self.task && line.live.load().is_none();
        if repair.task == self.task {
            repair.due = None;
        }
        if is_idle {
            line.set(Stage::Idle);
        }
        drop(repair);
        if is_idle {
            line.tell();
        }
    }
}

enum ConnectAttempt {
    Connected(Dialed, Address, u64, Arc<AtomicBool>),
    NotAdmitted,
    Failed(ConnectError),
}

impl ServerLink {
    /// Starts a task that connects, unless there is a connection or such a task.
    pub(super) fn ensure_repair(self: &Arc<Self>, index: usize, runtime: &Handle) {
        let line = &self.lines[index];
        let now = Instant::now();
        let mut repair = lock(&line.repair);
        if line.live.load().is_some() || repair.due.is_some_and(|due| now < due) {
            return;
        }
        repair.task += 1;
        repair.due = Some(now + self.step());
        let ended = Ended { link: Arc::downgrade(self), line: index, task: repair.task };
        drop(repair);
        // Before the task begins, and not under the lock: who is woken may come back here at once.
        line.changes(|stage| match stage {
            Stage::Down { .. } => false,
            stage => {
                *stage = Stage::Connecting;
                true
            }
        });
        runtime.spawn(async move { repair_line(&ended).await });
    }

    /// The longest time between two signs of life of a task, apart from its pauses: the master's name, and
    /// then the master.
    fn step(&self) -> Duration {
        self.config.connect_timeout * 2 + Duration::from_secs(1)
    }

    /// Whether the task is still the one; if so it has time for a pause and an attempt.
    fn may_go_on(&self, line: usize, task: u64, pause: Duration) -> bool {
        let mut repair = lock(&self.lines[line].repair);
        let current = repair.task == task;
        if current {
            repair.due = Some(Instant::now() + pause + self.step());
        }
        current
    }

    async fn attempt(self: &Arc<Self>, line: usize) -> ConnectAttempt {
        let address = match &self.destination {
            Destination::Fixed(address) | Destination::Replica(address) => address.clone(),
            Destination::Master(name) => match sentinel::master(&self.config, name).await {
                Ok(node) => Address::Tcp(node),
                Err(error) => return ConnectAttempt::Failed(error),
            },
        };
        let generation = self.generations.fetch_add(1, Relaxed) + 1;
        let ended = Arc::new(AtomicBool::new(false));
        let at_end = {
            let (link, ended) = (Arc::downgrade(self), Arc::clone(&ended));
            move || {
                ended.store(true, Release);
                if let Some(link) = link.upgrade() {
                    link.lose(line, generation);
                }
            }
        };
        let (role, questions) = match self.destination {
            Destination::Replica(_) => (Role::Replica, self.replica_questions()),
            _ => (Role::Master, capabilities::questions(&self.config.prefix)),
        };
        match dial(&self.config, (&address, role), &self.config.client_name, questions, at_end).await {
            Ok(dialed) if role == Role::Replica && !takes_reads(&dialed) => {
                let error = ConnectError::transient("it refuses READONLY");
                ConnectAttempt::Failed(error.of(address))
            }
            Ok(dialed) if self.admit.as_ref().is_none_or(|admit| admit(&dialed.server_info)) => {
                ConnectAttempt::Connected(dialed, address, generation, ended)
            }
            Ok(_) => ConnectAttempt::NotAdmitted,
            Err(error) => ConnectAttempt::Failed(error),
        }
    }

    /// A node of a cluster sends readers on to its master unless it is told not to.
    fn replica_questions(&self) -> Vec<Cmd> {
        self.config.is_cluster().then(|| words(&["READONLY"])).into_iter().collect()
    }

    fn connected(self: &Arc<Self>, index: usize, live: Live) {
        let (line, generation) = (&self.lines[index], live.generation);
        let ended = Arc::clone(&live.ended);
        let server_info = live.dialed.server_info.clone();
        let Findings { capabilities, refusals, idle, .. } = &*self.config.findings;
        // What a replica refuses is no matter: its master is asked.
        if !self.is_replica() {
            capabilities.learn(&live.dialed.answers, refusals);
            refusals.accepted(Operation::Connect);
        }
        if let Some(pause) = idle.keep_alive() {
            tokio::spawn(keep_alive(Arc::downgrade(self), index, generation, pause));
        }
        {
            let mut repair = lock(&line.repair);
            line.live.store(Some(Arc::new(live)));
            repair.due = None;
            line.set(Stage::Up);
        }
        line.tell();
        self.breaker.close();
        self.report_up();
        let ServerInfo { version: (major, minor, patch), valkey, .. } = server_info;
        crate::panic_guard::report!(debug, server = self.name(), valkey, version = %format_args!("{major}.{minor}.{patch}"), "connected");
        // It may have ended before it could be found here.
        if ended.load(Acquire) {
            self.lose(index, generation);
        }
    }

    fn not_connected(&self, index: usize, error: ConnectError) {
        self.breaker.failed();
        self.breaker.probed_in_vain();
        match error.mend() {
            Some(mend) if !self.is_replica() => {
                let reply = format!("{}: {}", error.server(), error.in_full());
                self.config.findings.refusals.refused(Operation::Connect, &reply, mend);
                _ = self.is_down_now();
            }
            _ => self.report_down(&error.in_full()),
        }
        let name = self.name();
        self.lines[index].changes(|stage| {
            let attempts = if let Stage::Down { attempts, .. } = stage { *attempts } else { 0 };
            *stage = Stage::down(attempts.saturating_add(1), error, &name);
            true
        });
    }

    /// Gives a connection up, if it is still the one that is used, and begins to make the next.
    pub(super) fn lose(self: &Arc<Self>, index: usize, generation: u64) {
        let line = &self.lines[index];
        let lost = {
            let _repair = lock(&line.repair);
            let current = line.live.load().as_ref().is_some_and(|live| live.generation == generation);
            if current {
                line.set(Stage::Idle);
            }
            if current { line.live.swap(None) } else { None }
        };
        // Ends the driver, whose end comes back here, and wakes callers, who may: not under the lock.
        if lost.is_some() {
            line.tell();
            self.breaker.back_off();
            // While a runtime shuts down there may be one, and the task ends as soon as it begins.
            if let Ok(runtime) = Handle::try_current() {
                self.ensure_repair(index, &runtime);
            }
        }
    }

    fn lose_all(self: &Arc<Self>) {
        for (index, line) in self.lines.iter().enumerate() {
            let generation = line.live.load().as_ref().map(|live| live.generation);
            if let Some(generation) = generation {
                self.lose(index, generation);
            }
        }
    }

    /// Whether commands may be sent where a line leads, while it is still this connection.
    fn is_admitted(&self, line: usize, generation: u64) -> Option<bool> {
        let live = self.lines[line].live.load();
        let live = live.as_ref().filter(|live| live.generation == generation)?;
        Some(self.admit.as_ref().is_none_or(|admit| admit(&live.dialed.server_info)))
    }

    /// Where the first line leads, while it is still this connection.
    fn address(&self, generation: u64) -> Option<Address> {
        let live = self.lines[0].live.load();
        live.as_ref().filter(|live| live.generation == generation).map(|live| live.address.clone())
    }
}

/// Whether what a replica was told is as it should be.
fn takes_reads(dialed: &Dialed) -> bool {
    !dialed.answers.iter().any(|answer| matches!(answer, Value::ServerError(_)))
}

async fn repair_line(this: &Ended) {
    let mut refused = 0;
    loop {
        let Some(link) = this.link.upgrade() else { return };
        let pause = match refused {
            0 => link.breaker.pause(fastrand::f64()),
            times => jittered(ADMISSION.0, times - 1, ADMISSION.1, fastrand::f64()),
        };
        if !link.may_go_on(this.line, this.task, pause) {
            return;
        }
        // Dropping the cache in the meantime does not wait for this.
        drop(link);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let Some(link) = this.link.upgrade() else { return };
        if !link.may_go_on(this.line, this.task, Duration::ZERO) {
            return;
        }
        link.breaker.probing();
        let outcome = link.attempt(this.line).await;
        if !link.may_go_on(this.line, this.task, Duration::ZERO) {
            return;
        }
        match outcome {
            ConnectAttempt::Connected(dialed, address, generation, ended) => {
                link.connected(
                    this.line,
                    Live { dialed, address, generation, ended, spares: Spares::default() },
                );
                if link.admit.is_some() {
                    tokio::spawn(watch_admission(Arc::downgrade(&link), this.line, generation));
                }
                // One watches for all lines.
                if this.line == 0 && matches!(link.destination, Destination::Master(_)) {
                    tokio::spawn(watch_master(Arc::downgrade(&link), generation));
                }
                return;
            }
            ConnectAttempt::NotAdmitted => {
                refused += 1;
                link.breaker.probed_in_vain();
                // At first callers wait: the log is just about to be followed there.
                if refused > PATIENCE {
                    let reason = "the invalidation log does not know this server yet";
                    // No failed attempt: the server is there.
                    let down = Stage::down(0, ConnectError::transient(reason), &link.name());
                    link.lines[this.line].becomes(down);
                }
            }
            ConnectAttempt::Failed(error) => {
                refused = 0;
                link.not_connected(this.line, error);
            }
        }
    }
}

/// Leaves a master that most sentinels have replaced.
async fn watch_master(link: Weak<ServerLink>, generation: u64) {
    loop {
        tokio::time::sleep(jittered(WATCH, 0, WATCH, fastrand::f64())).await;
        let Some(link) = link.upgrade() else { return };
        let Destination::Master(name) = &link.destination else { return };
        let Some(address) = link.address(generation) else { return };
        match sentinel::master(&link.config, name).await {
            Ok(node) if Address::Tcp(node.clone()) != address => return link.lose_all(),
            _ => {}
        }
    }
}

/// Leaves a server whose log is no longer followed: an address may lead to another one now, while this one lives on, and
/// keeps the connection.
async fn watch_admission(link: Weak<ServerLink>, line: usize, generation: u64) {
    loop {
        tokio::time::sleep(jittered(WATCH, 0, WATCH, fastrand::f64())).await;
        let Some(link) = link.upgrade() else { return };
        match link.is_admitted(line, generation) {
            Some(true) => {}
            Some(false) => return link.lose(line, generation),
            None => return,
        }
    }
}

/// Says something on a connection often enough that nothing in between takes it for idle.
async fn keep_alive(link: Weak<ServerLink>, line: usize, generation: u64, pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        let Some(link) = link.upgrade() else { return };
        let Some(mut taken) = link.taken(line).filter(|taken| taken.generation == generation) else { return };
        // What every user of ours may ask.
        let ping = words(&["TIME"]);
        // What comes of it is seen by who drives the connection.
        let _ = tokio::time::timeout(link.config.deadline, taken.connection.send_packed_command(&ping)).await;
        link.put_back(taken);
    }
}
