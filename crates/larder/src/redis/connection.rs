//! Connections to Redis that never hold a caller for longer than the deadline, and mend themselves.
//!
//! - One server, or the master that the sentinels name: a [`ServerLink`]. A cluster: a link for every master,
//!   and the map of who owns what. Why not another client's: see [`cluster`].
//! - Connections live in the runtime of the call that needed them first. When they end, or that runtime does,
//!   the next are made in the background by the call that notices, and callers wait at most for the first
//!   attempt.
//!
//! What is sent besides callers' commands, and must be allowed to the ACL user: `INFO`, `TIME`
//! (`@dangerous`, `@fast`), and in a cluster `CLUSTER|SLOTS`, `CLUSTER|INFO` and `ASKING`; `SELECT` where
//! the database is not 0. `CLIENT|SETNAME` is sent and may be refused. Sentinels are sent
//! `SENTINEL|GET-MASTER-ADDR-BY-NAME`. Where replicas are read from, `READONLY` in a cluster and `SENTINEL|REPLICAS`. Every user may call `AUTH`.

mod address;
mod batch;
mod close_detection;
mod cluster;
mod command;
mod connect_error;
mod dial;
mod introduction;
mod link;
mod protocol;
mod raw_commands;
mod replicas;
mod sentinel;
mod server_kind;
mod tcp;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;

use std::sync::Arc;

use ::redis::{Cmd, Value};
use tokio::time::Instant;

use self::{
    address::Address,
    cluster::Cluster,
    link::{Destination, ServerLink},
    replicas::SentinelReplicas,
};
pub(crate) use self::{
    command::{Command, CommandFailure, CommandKey, Reply, Unavailable},
    connect_error::{ConnectError, io_error},
    dial::Dialed,
    link::{Admit, LinkState},
    raw_commands::words,
    replicas::ReplicaReply,
};
use super::{
    config::Config,
    server_info::{Role, ServerInfo},
    url::{Node, Topology},
};
use crate::error::Result;

/// The connections that carry commands. Cheap to clone; they end with the last clone.
#[derive(Clone)]
pub(crate) struct Connections(Routes);

#[derive(Clone)]
enum Routes {
    /// One server, and its replicas if they are read from.
    Single(Arc<ServerLink>, Option<Arc<SentinelReplicas>>),
    Cluster(Arc<Cluster>),
}

impl Connections {
    /// Connects when it is first needed, or told to [`begin`](Self::begin). `admit` is asked for every new
    /// connection before anything is sent on it, except in a cluster; where it says no, the connection is
    /// closed, and another one is tried soon.
    pub(crate) fn new(config: Arc<Config>, admit: Option<Admit>) -> Self {
        Self(match destination(&config) {
            Some(destination) => {
                let replicas = match &destination {
                    Destination::Master(name) if config.reads_replicas => {
                        Some(SentinelReplicas::new(config.clone(), name.clone()))
                    }
                    _ => None,
                };
                Routes::Single(ServerLink::new(config, destination, admit), replicas)
            }
            None => Routes::Cluster(Cluster::new(config)),
        })
    }

    /// Begins to connect, in the background: nothing outside of a runtime.
    pub(crate) fn begin(&self) {
        match &self.0 {
            Routes::Single(link, replicas) => {
                link.begin();
                replicas.iter().for_each(SentinelReplicas::look);
            }
            Routes::Cluster(cluster) => cluster.look_again(),
        }
    }

    /// Waits until there is a connection, to every master of a cluster, and tells what the server (the last
    /// of them) said of itself.
    ///
    /// # Errors
    ///
    /// When the configured number of attempts has failed, or one for a reason that will stay.
    pub(crate) async fn ready(&self) -> Result<ServerInfo> {
        match &self.0 {
            Routes::Single(link, _) => link.ready().await,
            Routes::Cluster(cluster) => cluster.ready().await,
        }
    }

    /// Sends one command. Takes no longer than the deadline, to however many nodes of a cluster it is sent on. Dropping
    /// the future may or may not keep it from being sent.
    pub(crate) async fn call(&self, command: &Command) -> Reply {
        self.call_now(Instant::now(), command).await
    }

    /// The same, for one who has just looked at the clock.
    pub(crate) async fn call_now(&self, now: Instant, command: &Command) -> Reply {
        match &self.0 {
            Routes::Single(link, _) => link.call(now, &command.words).await,
            Routes::Cluster(cluster) => cluster.call(now, command).await,
        }
    }

    /// Sends several commands, in one round trip where they are no more than 1,000 commands and 1 MiB, and
    /// in a cluster one for each node. Has a reply for each, in their order. They are not a transaction:
    /// longer batches and those in a cluster are executed in no particular order. The deadline is that of
    /// every round trip, sent on or not, and after one that has failed no more begin.
    pub(crate) async fn call_many(&self, commands: Vec<Command>) -> Vec<Reply> {
        self.call_many_by(self.deadline(), commands).await
    }

    /// The same, as a part of an operation that has begun before. Where it takes several round trips, each has a deadline
    /// of its own.
    pub(crate) async fn call_many_by(&self, deadline: Instant, commands: Vec<Command>) -> Vec<Reply> {
        match &self.0 {
            Routes::Single(link, _) => batch::send(commands, link, deadline).await,
            Routes::Cluster(cluster) => cluster.call_many(deadline, commands).await,
        }
    }

    /// When an operation has to end that begins now.
    pub(crate) fn deadline(&self) -> Instant {
        match &self.0 {
            Routes::Single(link, _) => link.deadline(),
            Routes::Cluster(cluster) => cluster.deadline(),
        }
    }

    /// Whether these commands take one round trip, to each node of a cluster.
    pub(crate) fn is_one_round_trip(commands: &[Command]) -> bool {
        batch::is_one(commands)
    }

    /// Sends a command that only reads to a replica, if they are read from and one can be used at once. Takes no longer
    /// than half of the deadline.
    pub(crate) async fn call_replica(&self, command: &Command) -> ReplicaReply {
        match &self.0 {
            Routes::Single(_, replicas) => {
                Some(replicas.as_ref()?.picked()?.call(Instant::now(), &command.words).await)
            }
            Routes::Cluster(cluster) => cluster.call_replica(command).await,
        }
    }

    /// The same for several, in one round trip as [`call_many`](Self::call_many) sends them.
    pub(crate) async fn call_replicas(&self, commands: Vec<Command>) -> Vec<ReplicaReply> {
        match &self.0 {
            Routes::Single(_, replicas) => match replicas.as_ref().and_then(|replicas| replicas.picked()) {
                Some(link) => {
                    let replies = batch::send(commands, &link, link.deadline()).await;
                    replies.into_iter().map(Some).collect()
                }
                None => commands.iter().map(|_| None).collect(),
            },
            Routes::Cluster(cluster) => cluster.call_replicas(commands).await,
        }
    }

    /// How the links to replicas are, if they are read from.
    pub(crate) fn replica_states(&self) -> Vec<LinkState> {
        match &self.0 {
            Routes::Single(_, replicas) => replicas.iter().flat_map(|replicas| replicas.states()).collect(),
            Routes::Cluster(cluster) => cluster.replica_states(),
        }
    }

    /// The masters that have the data: one, or all that are known of a cluster.
    pub(crate) fn masters(&self) -> Vec<Master> {
        match &self.0 {
            Routes::Single(link, _) => vec![Master(link.clone())],
            Routes::Cluster(cluster) => cluster.links().into_iter().map(Master).collect(),
        }
    }

    /// Whether there is a server that may be tried, as far as is known.
    pub(crate) fn is_within_reach(&self) -> bool {
        match &self.0 {
            Routes::Single(link, _) => link.is_within_reach(),
            Routes::Cluster(cluster) => cluster.is_within_reach(),
        }
    }

    /// How the links are: one, or one for each master of a cluster that is known.
    pub(crate) fn states(&self) -> Vec<LinkState> {
        match &self.0 {
            Routes::Single(link, _) => vec![link.state()],
            Routes::Cluster(cluster) => cluster.states(),
        }
    }
}

/// One server, for commands about all that is on it.
#[cfg_attr(not(feature = "inspect"), expect(unreachable_pub, reason = "public in `internal::inspect`"))]
#[derive(Clone)]
pub struct Master(Arc<ServerLink>);

impl Master {
    /// Its address.
    #[must_use]
    #[cfg_attr(not(feature = "inspect"), expect(unreachable_pub, reason = "public in `internal::inspect`"))]
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// Sends it one command, wherever the command's key lies.
    pub(crate) async fn call(&self, command: &Command) -> Reply {
        self.0.call(Instant::now(), &command.words).await
    }
}

/// None for a cluster.
fn destination(config: &Config) -> Option<Destination> {
    Some(match &config.topology {
        Topology::Server(node) => Destination::Fixed(Address::Tcp(node.clone())),
        Topology::Socket(path) => Destination::Fixed(Address::Socket(path.clone())),
        Topology::Sentinel { master, .. } => Destination::Master(master.clone()),
        Topology::Cluster(_) => return None,
    })
}

/// A new connection on which messages come that are published to a channel.
///
/// # Errors
///
/// When no server can be reached within the configured time.
#[cfg(feature = "events")]
pub(crate) async fn subscribe(config: &Config, channel: &str) -> Result<::redis::aio::PubSub, ConnectError> {
    let node = |node: Node| Address::Tcp(node);
    let address = match destination(config) {
        Some(Destination::Fixed(address) | Destination::Replica(address)) => address,
        Some(Destination::Master(name)) => sentinel::master(config, &name).await.map(node)?,
        // Any node would do: what is published goes to all of them.
        None => cluster::owner(config, channel.as_bytes()).await.map(node)?,
    };
    dial::subscribe(config, &address, &format!("{}-events", config.client_name), channel).await
}

/// A connection for the log.
pub(crate) struct ToLog {
    pub(crate) dialed: Dialed,
    /// Whether each command needs an `ASKING` before it: the log is there, and its slot is not yet.
    pub(crate) asking: bool,
}

/// A new connection to the master that has the log under `key`, called as configured and `suffix`; what the server says
/// to `question`, a command on that key, is among its answers. It has no time limit of its own, lives in the current
/// runtime, and ends when dropped.
///
/// # Errors
///
/// When the server cannot be reached within the configured time, or cannot be used.
pub(crate) async fn connect_to_log(
    config: &Config,
    key: &str,
    suffix: &str,
    question: &Cmd,
) -> Result<ToLog, ConnectError> {
    let node = |node: Node| Address::Tcp(node);
    let mut address = match destination(config) {
        Some(Destination::Fixed(address) | Destination::Replica(address)) => address,
        Some(Destination::Master(name)) => sentinel::master(config, &name).await.map(node)?,
        None => cluster::owner(config, key.as_bytes()).await.map(node)?,
    };
    let name = format!("{}{suffix}", config.client_name);
    let mut asking = false;
    for _ in 0..cluster::REDIRECTIONS {
        let mut besides: Vec<Cmd> = asking.then(|| words(&["ASKING"])).into_iter().collect();
        besides.push(question.clone());
        let dialed = dial::dial(config, (&address, Role::Master), &name, besides, || {}).await?;
        let elsewhere = match (&address, dialed.answers.last()) {
            (Address::Tcp(asked), Some(Value::ServerError(error))) => cluster::redirection(error, asked),
            _ => None,
        };
        let Some((to, asks)) = elsewhere.filter(|_| config.is_cluster()) else {
            return Ok(ToLog { dialed, asking });
        };
        (address, asking) = (node(to), asks);
    }
    Err(ConnectError::transient("its nodes send us from one to the other for the log").of(cluster::NAME))
}
