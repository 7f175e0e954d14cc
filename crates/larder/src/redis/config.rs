//! How to reach Redis, and what to call there.

mod build;
mod builder;
mod invalid;
mod options;
#[cfg(feature = "seal")]
mod seal;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

pub use self::builder::RedisCacheBuilder;
use super::{
    secret::Credentials,
    server_findings::Findings,
    url::{Node, Topology},
};

/// What keys begin with where nothing else is said.
pub(super) const DEFAULT_PREFIX: &str = "larder";

/// Everything that a connection depends on; made by [`RedisCacheBuilder::config`].
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(super) topology: Topology,
    pub(super) credentials: Option<Credentials>,
    pub(super) sentinel_credentials: Option<Credentials>,
    pub(super) database: i64,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<tls::Tls>,
    /// What all our keys begin with.
    pub(crate) prefix: String,
    /// Whether that was chosen, and is not what all programs have that chose none.
    pub(super) has_own_prefix: bool,
    pub(super) client_name: String,
    pub(super) connections: usize,
    /// What one operation may take.
    pub(crate) deadline: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) connect_attempts: u32,
    /// Whether entries are read from replicas where they have them.
    pub(super) reads_replicas: bool,
    /// Nodes that a cluster has told of: those that it was set up with may all be gone one day.
    pub(super) known: Arc<Mutex<Vec<Node>>>,
    /// What was found out about the servers.
    pub(super) findings: Arc<Findings>,
}

impl Config {
    /// The nodes to begin with: servers, or sentinels.
    pub(super) fn nodes(&self) -> &[Node] {
        match &self.topology {
            Topology::Server(node) => std::slice::from_ref(node),
            Topology::Socket(_) => &[],
            Topology::Cluster(nodes) | Topology::Sentinel { nodes, .. } => nodes,
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
    }

    /// What tells these servers from others, and this user of them.
    pub(super) fn identity(&self) -> String {
        let user = self.credentials.as_ref().and_then(|credentials| credentials.username.as_deref());
        format!("{:?} {} {user:?}", self.topology, self.database)
    }
}
