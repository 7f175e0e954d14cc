//! The way to one server: its connections, the breaker before them, and what callers see of both.

mod line;
mod repair;
mod reports;
mod spares;
#[cfg(test)]
mod tests;
mod too_late;
mod waiting;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use ::redis::{Cmd, Pipeline, RedisResult, ServerError, Value, aio::MultiplexedConnection};
use tokio::{runtime::Handle, time::Instant};

use self::{
    line::{Line, Live, Stage},
    too_late::TooLate,
};
use super::{
    ConnectError,
    address::Address,
    batch::Exchange,
    command::{CommandFailure, Reply, Unavailable},
};
use crate::{
    error::{Cause, Error},
    redis::{
        breaker::{Breaker, BreakerState},
        config::Config,
        server_info::ServerInfo,
    },
};

/// Whether a new connection to a server with this about it may carry commands. Must not block.
pub(crate) type Admit = Arc<dyn Fn(&ServerInfo) -> bool + Send + Sync>;

/// How a link is, for people.
#[derive(Debug, Clone)]
pub(crate) struct LinkState {
    /// What it is called over failovers too: its address, or the name of Sentinel's master.
    pub(crate) server: String,
    /// Where the master of that name is at present.
    pub(crate) master_address: Option<String>,
    pub(crate) breaker: BreakerState,
    /// Whether all its connections are there.
    pub(crate) connected: bool,
}

/// Where a link leads.
#[derive(Debug)]
pub(super) enum Destination {
    Fixed(Address),
    /// Whatever the sentinels call the master of this name.
    Master(String),
    /// A server that copies a master, for reads.
    Replica(Address),
}

/// The way to one server.
pub(super) struct ServerLink {
    config: Arc<Config>,
    destination: Destination,
    admit: Option<Admit>,
    breaker: Breaker,
    lines: Box<[Line]>,
    /// Whose turn it is.
    turn: AtomicUsize,
    /// Whether it was logged that it is down.
    reported_down: AtomicBool,
    generations: AtomicU64,
}

/// A connection that a caller has taken to use.
struct Taken {
    connection: MultiplexedConnection,
    line: usize,
    generation: u64,
}

impl ServerLink {
    pub(super) fn new(config: Arc<Config>, destination: Destination, admit: Option<Admit>) -> Arc<Self> {
        let lines = (0..config.connections).map(|_| Line::new());
        Arc::new(Self {
            lines: lines.collect(),
            config,
            destination,
            admit,
            breaker: Breaker::new(),
            turn: AtomicUsize::new(0),
            reported_down: AtomicBool::new(false),
            generations: AtomicU64::new(0),
        })
    }

    /// When an operation has to end that begins now.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.config.deadline
    }

    /// Sends one command, as all of an operation that begins now.
    pub(super) fn call(self: &Arc<Self>, now: Instant, command: &Cmd) -> impl Future<Output = Reply> + Send {
        self.call_within((now, now + self.config.deadline), command)
    }

    /// The same, as a part of an operation that has begun before.
    pub(super) async fn call_by(self: &Arc<Self>, deadline: Instant, command: &Cmd) -> Reply {
        self.call_within((Instant::now(), deadline), command).await
    }

    async fn call_within(self: &Arc<Self>, time: (Instant, Instant), command: &Cmd) -> Reply {
        let line = self.next_line();
        let mut taken = match self.take_at_once(line) {
            Some(taken) => taken,
            None => Box::pin(self.take(line, time)).await?,
        };
        let answer = {
            let (line, generation) = (taken.line, taken.generation);
            let request = pin!(taken.connection.send_packed_command(command));
            self.answered_by(time, request, || self.abandoned(line, generation)).await
        };
        let value = self.finished(&taken, answer)?;
        let reply = self.reply(value, &taken);
        self.put_back(taken);
        reply
    }

    /// Sends several commands in one go, and gives a reply for each.
    pub(super) async fn call_all_by(
        self: &Arc<Self>,
        deadline: Instant,
        commands: &Pipeline,
    ) -> Result<Vec<Reply>, Unavailable> {
        let time = (Instant::now(), deadline);
        let line = self.next_line();
        let mut taken = match self.take_at_once(line) {
            Some(taken) => taken,
            None => Box::pin(self.take(line, time)).await?,
        };
        let answer = {
            let (line, generation) = (taken.line, taken.generation);
            let request = pin!(taken.connection.send_packed_commands(commands, 0, commands.len()));
            self.answered_by(time, request, || self.abandoned(line, generation)).await
        };
        let values = self.finished(&taken, answer)?;
        let replies = values.into_iter().map(|value| self.reply(value, &taken)).collect();
        self.put_back(taken);
        Ok(replies)
    }

    /// A connection, if there is one now.
    fn take_at_once(&self, line: usize) -> Option<Taken> {
        // What runs in a task is in a runtime. To ask for that has all threads meet at its count.
        let is_in_runtime = tokio::task::try_id().is_some() || Handle::try_current().is_ok();
        (is_in_runtime && self.breaker.admits()).then(|| self.taken(line)).flatten()
    }

    fn next_line(&self) -> usize {
        match self.lines.len() {
            1 => 0,
            lines => self.turn.fetch_add(1, Relaxed) % lines,
        }
    }

    /// A connection, if an attempt under way comes to one in time.
    async fn take(self: &Arc<Self>, line: usize, time: (Instant, Instant)) -> Result<Taken, Unavailable> {
        let Ok(runtime) = Handle::try_current() else { return Err(Unavailable::NoRuntime) };
        if !self.breaker.admits() {
            self.ensure_repair(line, &runtime);
            return Err(Unavailable::Open(self.why_down(line)));
        }
        let mut stages = self.lines[line].stage.subscribe();
        self.ensure_repair(line, &runtime);
        let settled = |stage: &Stage| matches!(stage, Stage::Up | Stage::Down { .. });
        // What is waited for is a guard. It goes at once: with a writer that waits for that, the next reader waits too.
        let waiting = pin!(async { drop(stages.wait_for(settled).await) });
        let abandoned = || {
            self.note_abandoned();
            self.count_failure(&runtime);
        };
        if let Err(late) = self.answered_by(time, waiting, abandoned).await {
            if late.in_vain {
                self.count_failure(&runtime);
            }
            return Err(Unavailable::Deadline);
        }
        self.taken(line).ok_or_else(|| Unavailable::Connect(self.why_down(line)))
    }

    /// Why the last attempt to connect failed.
    fn why_down(&self, line: usize) -> Option<Cause> {
        match &*self.lines[line].stage.borrow() {
            Stage::Down { cause, .. } => Some(Arc::clone(cause)),
            _ => None,
        }
    }

    fn taken(&self, line: usize) -> Option<Taken> {
        let live = self.lines[line].live.load();
        let Live { dialed, generation, spares, .. } = live.as_deref()?;
        let connection = spares.take().unwrap_or_else(|| dialed.connection.clone());
        Some(Taken { connection, line, generation: *generation })
    }

    /// Keeps a handle for the next caller.
    fn put_back(&self, taken: Taken) {
        let live = self.lines[taken.line].live.load();
        if let Some(live) = live.as_deref().filter(|live| live.generation == taken.generation) {
            live.spares.put_back(taken.connection);
        }
    }

    /// Judges how the exchange went, whatever the server said in it.
    fn finished<T>(
        self: &Arc<Self>,
        taken: &Taken,
        answer: Result<RedisResult<T>, TooLate>,
    ) -> Result<T, Unavailable> {
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                self.lose(taken.line, taken.generation);
                Err(Unavailable::broken(error))
            }
            Err(late) => {
                if late.in_vain {
                    self.failed(taken.line, taken.generation);
                }
                Err(Unavailable::Deadline)
            }
        }
    }

    /// Judges what the server said.
    fn reply(self: &Arc<Self>, value: Value, taken: &Taken) -> Reply {
        match value {
            Value::ServerError(error) => {
                self.judge(&error, taken);
                Err(CommandFailure::Refused(error))
            }
            value => {
                self.breaker.succeeded();
                Ok(value)
            }
        }
    }

    fn judge(self: &Arc<Self>, error: &ServerError, taken: &Taken) {
        match error.code() {
            // The node is well: it says that no node has this slot.
            "CLUSTERDOWN" if error.details().is_some_and(|text| text.contains("slot not served")) => {
                self.breaker.succeeded();
            }
            "LOADING" | "CLUSTERDOWN" | "MASTERDOWN" | "BUSY" => self.failed(taken.line, taken.generation),
            // It is no master any more, or does not know us any more: connecting finds out more.
            "READONLY" | "NOAUTH" => self.lose(taken.line, taken.generation),
            // The cluster looks after these.
            "MOVED" | "ASK" | "TRYAGAIN" => {}
            _ => self.breaker.succeeded(),
        }
    }

    fn failed(self: &Arc<Self>, line: usize, generation: u64) {
        let current = self.lines[line].live.load().as_ref().map(|live| live.generation);
        if current == Some(generation)
            && let Ok(runtime) = Handle::try_current()
        {
            self.count_failure(&runtime);
        }
    }

    /// Counts a failure; with the one that opens the breaker, all connections are given up. Callers that wait
    /// on them are answered at once.
    fn count_failure(self: &Arc<Self>, runtime: &Handle) {
        if !self.breaker.failed() {
            return;
        }
        self.report_down("it failed too often in a row");
        for (index, line) in self.lines.iter().enumerate() {
            if line.live.swap(None).is_some() {
                line.becomes(Stage::Idle);
            }
            self.ensure_repair(index, runtime);
        }
    }

    /// Begins to connect, in the background.
    pub(super) fn begin(self: &Arc<Self>) {
        if let Ok(runtime) = Handle::try_current() {
            (0..self.lines.len()).for_each(|line| self.ensure_repair(line, &runtime));
        }
    }

    /// Waits until there is a connection, however long the attempts take, as many as are configured.
    pub(super) async fn ready(self: &Arc<Self>) -> Result<ServerInfo, Error> {
        let Ok(runtime) = Handle::try_current() else {
            let error = ConnectError::permanent("it can only be asked from within a tokio runtime");
            return Err(error.of(self.name()).into());
        };
        let mut stages = self.lines[0].stage.subscribe();
        loop {
            if let Some(live) = &*self.lines[0].live.load() {
                return Ok(live.dialed.server_info.clone());
            }
            self.ensure_repair(0, &runtime);
            if let Stage::Down { attempts, failure, .. } = &*stages.borrow_and_update()
                && (failure.is_permanent() || *attempts >= self.config.connect_attempts)
            {
                return Err(failure.clone().of(self.name()).into());
            }
            // Woken now and then: the runtime in which the attempts are made may be gone.
            let _ = tokio::time::timeout(Duration::from_millis(500), stages.changed()).await;
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.lines.iter().all(|line| line.live.load().is_some())
    }

    /// Whether a command can be sent at once.
    pub(super) fn is_usable(&self) -> bool {
        self.breaker.admits() && self.is_connected()
    }

    fn is_replica(&self) -> bool {
        matches!(self.destination, Destination::Replica(_))
    }

    pub(super) fn state(&self) -> LinkState {
        let (server, master_address) = match &self.destination {
            Destination::Fixed(address) | Destination::Replica(address) => (address.to_string(), None),
            Destination::Master(name) => {
                let live = self.lines[0].live.load();
                (name.clone(), live.as_ref().map(|live| live.address.to_string()))
            }
        };
        LinkState { server, master_address, breaker: self.breaker.state(), connected: self.is_connected() }
    }

    pub(super) fn is_within_reach(&self) -> bool {
        self.breaker.state() != BreakerState::Open
    }

    /// For people: with the address of a master that Sentinel names.
    pub(super) fn name(&self) -> String {
        let LinkState { server, master_address, .. } = self.state();
        match master_address {
            Some(address) => format!("{server} ({address})"),
            None => server,
        }
    }
}

impl Exchange for Arc<ServerLink> {
    fn deadline(&self) -> Instant {
        ServerLink::deadline(self)
    }

    async fn exchange(&self, pipeline: &Pipeline, deadline: Instant) -> Result<Vec<Reply>, Unavailable> {
        self.call_all_by(deadline, pipeline).await
    }
}
