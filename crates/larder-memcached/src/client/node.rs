//! A node: a server of memcached, with what connections to it there are.

use std::{
    future::poll_fn,
    ops::{Deref, DerefMut},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use larder::internal::shared::{Backoff, FailureCount, contained};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{Connection, Failure};

/// How many connections are kept open that are in no use.
const MOST_IDLE: usize = 16;

/// Failures in a row after which a node is left alone.
const FAILURES: u32 = 3;

/// The first pause between two looks whether a node is back, and the longest.
const PROBE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// A server, known by the address that names it everywhere.
#[derive(Debug)]
pub(crate) struct Node {
    address: String,
    idle: Mutex<Vec<Connection>>,
    /// For callers. What few tasks there are in the background need none.
    permits: Semaphore,
    failures: FailureCount,
    deadline: Duration,
    /// What connections belong to, and the task that looks whether the node is back: callers may have runtimes of their own,
    /// which end before that.
    runtime: Handle,
}

/// A connection in the hands of one request. It is closed when this is dropped, unless it was given back.
pub(crate) struct Borrowed<'n> {
    connection: Connection,
    node: &'n Node,
}

impl Node {
    /// Its connections belong to the runtime that this is called in.
    pub(crate) fn new(address: String, connections: usize, deadline: Duration) -> Arc<Self> {
        let (permits, runtime) = (Semaphore::new(connections), Handle::current());
        let (idle, failures) = (Mutex::default(), FailureCount::new(FAILURES));
        Arc::new(Self { address, idle, permits, failures, deadline, runtime })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How long it has for an answer, or for a piece of a larger one.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Whether it may be asked.
    pub(crate) fn is_up(&self) -> bool {
        self.failures.admits()
    }

    /// For a caller, who may have a connection then: one of so many at a time. That it takes too long is no failure of the
    /// node's: callers keep each other waiting.
    pub(crate) async fn permit(&self) -> Result<SemaphorePermit<'_>, Failure> {
        if !self.is_up() {
            return Err(Failure::LeftAlone);
        }
        let waited = timeout(self.deadline, self.permits.acquire()).await;
        waited.map(|permit| permit.expect("it is never closed")).map_err(|_| Failure::TimedOut)
    }

    /// A connection, with a limit of time for each piece of what is asked, and of the replies.
    pub(crate) async fn connection(&self, limit: Duration) -> Result<Borrowed<'_>, Failure> {
        if !self.is_up() {
            return Err(Failure::LeftAlone);
        }
        let idle = loop {
            match self.idle().pop() {
                Some(connection) if !connection.is_idle() => {}
                idle => break idle,
            }
        };
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open(limit).await?,
        };
        connection.limit_to(limit);
        Ok(Borrowed { connection, node: self })
    }

    async fn open(&self, limit: Duration) -> std::io::Result<Connection> {
        let mut opening = pin!(Connection::open(&self.address, limit));
        poll_fn(|context| {
            let _runtime = self.runtime.enter();
            opening.as_mut().poll(context)
        })
        .await
    }

    /// Takes in how a request ended that began then, within its own limit of time or not.
    pub(crate) fn note<T>(self: &Arc<Self>, began: Instant, outcome: &Result<T, Failure>) {
        match outcome {
            Ok(_) => self.note_success(),
            Err(_) if !self.is_up() => {}
            // It waited for its turn: there are more requests than the node answers in that time.
            Err(Failure::TimedOut) if self.failures.has_answered_since(began) => {}
            Err(failure) => {
                contained(
                    || tracing::debug!(node = self.address, %failure, "a node of the cache cannot be asked"),
                );
                // What was connected to it may hang as well.
                self.idle().clear();
                if self.failures.failed() {
                    contained(
                        || tracing::warn!(node = self.address, %failure, "a node of the cache is unavailable"),
                    );
                    self.probe_until_it_answers();
                }
            }
        }
    }

    /// A caller has gone away after it had waited in vain.
    pub(crate) fn note_abandoned(self: &Arc<Self>, began: Instant) {
        self.note::<()>(began, &Err(Failure::TimedOut));
    }

    fn note_success(&self) {
        if self.failures.succeeded() {
            contained(|| tracing::info!(node = self.address, "a node of the cache is available again"));
        }
    }

    fn probe_until_it_answers(self: &Arc<Self>) {
        let node = Arc::downgrade(self);
        self.runtime.spawn(async move {
            let mut backoff = Backoff::between(PROBE.0, PROBE.1);
            loop {
                backoff.wait().await;
                let Some(node) = node.upgrade() else { return };
                if node.ping().await.is_ok() {
                    return node.note_success();
                }
            }
        });
    }

    /// Whether it answers, on a new connection.
    pub(crate) async fn ping(&self) -> Result<(), Failure> {
        let ping = async {
            let mut connection = self.open(self.deadline).await?;
            connection.version().await?;
            Ok::<_, Failure>(connection)
        };
        let connection = timeout(self.deadline, ping).await.unwrap_or(Err(Failure::TimedOut))?;
        self.take_back(connection);
        Ok(())
    }

    fn take_back(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Borrowed<'_> {
    /// For the next request: all of the reply was read.
    pub(crate) fn give_back(self) {
        self.node.take_back(self.connection);
    }
}

impl Deref for Borrowed<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Borrowed<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}
