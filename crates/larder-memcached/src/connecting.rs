//! From a builder to a cache that is connected.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use futures_util::future::join_all;
use larder::{
    Result,
    internal::shared::{Generations, check_limit, check_runtime, contained, no_connection, refused_setting},
};
use std::sync::Arc;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    MemcachedCache,
    builder::MemcachedCacheBuilder,
    client::{Failure, Node},
    delivery,
    names::{Names, Placement},
    peers,
    stamp::Incarnations,
    store::{Store, Together},
};

/// How long a caller may wait for another process' computation.
const LEASE_LIFETIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

impl MemcachedCacheBuilder {
    /// Connects. It is enough that one node answers: what the others have is a miss until they do.
    ///
    /// Connections belong to the tokio runtime that this is called in, and so do the tasks that deliver invalidations, begin
    /// generations, and look whether a node is back: it has to outlive the cache. Calls may be made in other runtimes, which
    /// may end earlier.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, if the tokio runtime has no timers or no I/O (`enable_all`), or if none of the nodes answers within [`connect_timeout`](Self::connect_timeout). To start a program
    /// while they are down, take [`connect_lazily`](Self::connect_lazily).
    pub async fn connect(self) -> Result<MemcachedCache> {
        const PAUSE: Duration = Duration::from_millis(20);
        check_runtime()?;
        let end = Instant::now() + self.connect_timeout;
        let cache = self.connect_lazily()?;
        let nodes = &cache.store().nodes;
        let mut cause = None;
        loop {
            let pings = join_all(nodes.iter().map(|node| timeout_at(end, node.ping()))).await;
            let pings = pings.into_iter().map(|ping| ping.unwrap_or(Err(Failure::TimedOut)));
            let failed: Vec<_> =
                nodes.iter().zip(pings).filter_map(|(node, ping)| Some((node, ping.err()?))).collect();
            if failed.len() < nodes.len() {
                for (node, failure) in failed {
                    contained(
                        || tracing::warn!(node = node.address(), %failure, "a node of the cache does not answer so far"),
                    );
                }
                // So that the first read knows what the entries' numbers are worth. A later one looks otherwise.
                _ = timeout_at(end, cache.store().look_with_others()).await;
                return Ok(cache);
            }
            if let Some((node, failure)) = failed.into_iter().next_back() {
                // What the system said tells more than that a node was left alone for it.
                if cause.is_none() || matches!(failure, Failure::Unreachable(_)) {
                    cause = Some(failure);
                }
                if let Some(cause) = cause.take_if(|_| Instant::now() >= end) {
                    return Err(no_connection(
                        node.address(),
                        "memcached does not answer there; start it, or take `connect_lazily`",
                        cause.into_cause(),
                    ));
                }
            }
            sleep_until(end.min(Instant::now() + PAUSE)).await;
        }
    }

    /// A cache that connects when it is used: everything is a miss until nodes answer.
    ///
    /// # Errors
    ///
    /// If a setting is wrong.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect_lazily(self) -> Result<MemcachedCache> {
        let wrong = || "the prefix is not of 1 to 40 printable characters of ASCII without spaces";
        let names = Names::new(&self.prefix).ok_or_else(|| refused_setting(wrong()))?;
        check_limit("deadline", self.deadline).map_err(refused_setting)?;
        check_limit("connect_timeout", self.connect_timeout).map_err(refused_setting)?;
        if !(1..=10_000).contains(&self.connections) {
            return Err(refused_setting(format!(
                "{} connections: 1 to 10,000 are allowed",
                self.connections
            )));
        }
        if let Some(lifetime) = self.lease_lifetime.filter(|lifetime| !LEASE_LIFETIMES.contains(lifetime)) {
            return Err(refused_setting(format!("leases of {lifetime:?}: 1 s to a day are allowed")));
        }
        let addresses = addresses(&self.nodes)?;
        let placement = Placement::new(addresses.iter().map(String::as_str));
        let connections = self.connections as usize;
        let nodes: Vec<_> =
            addresses.into_iter().map(|address| Node::new(address, connections, self.deadline)).collect();
        let (lanes, of) = (nodes.len(), (names.clone(), placement.clone()));
        let lane_of = move |scope| of.1.of(&of.0.generation(scope));
        let of = (names.clone(), placement.clone());
        let lane_of_counter = move |key: &str| of.1.of(&of.0.counter(key));
        let order = Generations::new(self.scope_slots, self.deadline, (lanes, lane_of), lane_of_counter);
        let leases = self.lease_lifetime.map(|lifetime| order.leases(lifetime));
        let entries = order.entries().written_with(self.encoding)?.limited_to(self.largest_value);
        let store = Arc::new(Store {
            nodes,
            placement,
            names,
            order,
            entries,
            leases,
            incarnations: Incarnations::default(),
            deadline: self.deadline,
            inserters: Semaphore::new(connections.div_ceil(2)),
            beginning: Together::default(),
            looking: Together::default(),
            runtime: Handle::current(),
        });
        let (open, _) = watch::channel(());
        delivery::start(&store, &open);
        peers::start(&store, &open);
        Ok(MemcachedCache::new(store, self.unshared_for, open))
    }
}

/// The addresses in full, in an order that is the same for all who name the same ones.
fn addresses(given: &[String]) -> Result<Vec<String>> {
    const PORT: u16 = 11_211;
    let mut addresses = BTreeSet::new();
    for address in given {
        let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && (!host.contains(':') || host.ends_with(']')) && port.parse::<u16>().is_ok()
        });
        let is_name =
            !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        let address = match (is_name, has_port) {
            (true, true) => address.clone(),
            (true, false) if !address.contains(':') => format!("{address}:{PORT}"),
            _ => {
                return Err(refused_setting(format!(
                    "{address:?} is no address of a node: write host:port, or [address]:port for IPv6"
                )));
            }
        };
        if !addresses.insert(address.clone()) {
            return Err(refused_setting(format!("the node {address} is named twice")));
        }
    }
    if addresses.is_empty() {
        return Err(refused_setting(
            "there is no node: name one at least, as in `nodes([\"10.0.0.1:11211\"])`",
        ));
    }
    Ok(addresses.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_named_in_full_and_in_one_order() {
        let given = |all: &[&str]| addresses(&all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>());
        let all = given(&["b:1", "a", "[::1]:11211"]).unwrap();
        assert_eq!(all, ["[::1]:11211", "a:11211", "b:1"]);
        for wrong in [&["a", "a:11211"][..], &[""], &[], &["memcached://a:1"], &["::1"], &["a:b"], &["a b"]] {
            assert!(given(wrong).is_err(), "{wrong:?}");
        }
    }
}
