//! With real servers. Two logs that are not in the registry are like two processes.

mod backlog;
mod bytes;
mod clones;
mod contact;
mod delivery;
mod faults;
mod registry;
mod replicas;
mod single;
mod slow;
mod speed;
mod unreadable;

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use ::redis::Value;
use larder_servers::{RedisServer, until};

use self::single::SingleServer;
use super::*;
use crate::{
    epoch::{Announcement, Epoch, ReadVersion, shared::Outbox},
    scope::{Scope, ScopeHash},
    shared_entries::NameHashing,
    shared_log::{contract::LogEntry, record},
};

const PREFIX: &str = "p";
const KEY: &str = "p:log";

fn settings() -> RedisLogSettings {
    RedisLogSettings {
        order: Arc::new(crate::epoch::LocalOrder::new()),
        slots: 1 << 16,
        freshness: None,
        deadline: Duration::from_millis(500),
        unlink: None,
        names: NameHashing::default(),
        findings: Arc::default(),
    }
}

fn wait<R>(future: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(future)
}

/// A process, as far as its log goes.
struct Process(Arc<RedisLog>);

impl Process {
    fn start(url: &str) -> Self {
        Self::start_with(url, PREFIX, settings())
    }

    fn start_with(url: &str, prefix: &str, settings: RedisLogSettings) -> Self {
        let process =
            Self(RedisLog::start(prefix, Arc::new(SingleServer::new(url).expect("a URL")), settings));
        process.started()
    }

    fn started(self) -> Self {
        until("a first start", || (self.0.status().first_starts == 1).then_some(()));
        until("a first read", || wait(self.0.started()).is_ok().then_some(()));
        self
    }

    /// Waits until it has begun anew on this server. The number of new starts would not tell: a master has another
    /// replication ID when its first replica comes.
    fn begins_anew_on(&self, server: &RedisServer) {
        let replid = server.info("replication", "master_replid").expect("every server has one");
        until("a new start", || self.0.shared().admits(&replid).then_some(()));
    }

    fn outbox(&self) -> &Outbox {
        self.0.shared().log().outbox()
    }

    fn rests(&self) -> bool {
        self.0.status().outbox == 0 && !self.outbox().has_work()
    }

    fn invalidate(&self, key: &str) -> Arc<Announcement> {
        let announcement = self.0.epochs().apply(&[Scope::key(key).hash()], [Arc::from(key)]);
        announcement.expect("there is a log")
    }

    fn begin(&self) -> ReadVersion {
        self.0.epochs().begin()
    }

    /// Whether an entry in memory is valid.
    fn holds(&self, key: &str, since: ReadVersion) -> bool {
        self.0.epochs().unchanged(&[Scope::key(key).hash()], since)
    }

    /// Whether an entry of the server is.
    fn accepts(&self, key: &str, epoch: Epoch) -> bool {
        self.0.judge(&[Scope::key(key).hash()], epoch).is_some()
    }

    fn position(&self) -> Epoch {
        self.0.status().position
    }

    /// Invalidates a key there, and waits until that is known here.
    fn hears(&self, other: &Self, key: &str) {
        let since = self.begin();
        assert!(self.holds(key, since));
        other.invalidate(key);
        until("delivery", || (!self.holds(key, since)).then_some(()));
        until("an echo", || (other.0.status().outbox == 0).then_some(()));
    }
}

fn two(server: &RedisServer) -> [Process; 2] {
    [(); 2].map(|()| Process::start(&server.url()))
}

/// The records of the log.
fn records(server: &RedisServer) -> Vec<LogEntry> {
    reply::entries(server.command::<Value>(&["XRANGE", KEY, "-", "+"])).expect("it is a log")
}
