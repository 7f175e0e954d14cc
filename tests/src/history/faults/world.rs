//! The servers of a run.

use super::fault::Fault;
use crate::history::config::Servers;
use larder_servers::{Proxy, RedisCluster, RedisSentinel, RedisServer};

/// The servers of a run.
#[derive(Debug)]
pub enum World {
    /// One server; the first process goes through a proxy.
    Single(Box<RedisServer>, Proxy),
    /// A cluster.
    Cluster(RedisCluster),
    /// Sentinels, a master and its replica.
    Sentinel(Box<RedisSentinel>),
}

impl World {
    /// Starts what a fault is for.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start(fault: Fault) -> Self {
        match fault {
            Fault::ClusterFailover | Fault::ClusterMasterKilled | Fault::MoveLog => {
                Self::Cluster(RedisCluster::start())
            }
            Fault::SentinelFailover | Fault::SentinelMasterKilled | Fault::LaggingReplica => {
                Self::Sentinel(Box::new(RedisSentinel::start()))
            }
            _ => {
                let server = RedisServer::builder().append_only().start();
                let proxy = Proxy::start(server.address());
                Self::Single(Box::new(server), proxy)
            }
        }
    }

    /// Whether a process reads entries from replicas: where there are some, all but the second one do.
    #[must_use]
    pub const fn reads_replicas(&self, process: usize) -> bool {
        !matches!(self, Self::Single(..)) && process != 1
    }

    /// Where a process finds them.
    #[must_use]
    pub fn servers_for(&self, process: usize) -> Servers {
        match self {
            Self::Single(_, proxy) if process == 0 => Servers::Single(proxy.url()),
            Self::Single(server, _) => Servers::Single(server.url()),
            Self::Cluster(cluster) => Servers::Cluster(addresses(cluster.servers())),
            Self::Sentinel(sentinel) => {
                Servers::Sentinel(addresses(sentinel.sentinels()), RedisSentinel::SERVICE.to_owned())
            }
        }
    }
}

fn addresses(servers: &[RedisServer]) -> Vec<String> {
    servers.iter().map(|server| server.address().to_string()).collect()
}
