//! Reads from the replicas of a cluster's masters.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::super::{
    link::ServerLink,
    replicas::{Due, link},
};
use crate::{
    redis::{config::Config, url::Node},
    sync::plain::lock,
};

/// The links to all replicas that are known.
#[derive(Default)]
pub(super) struct ClusterReplicas {
    links: Mutex<HashMap<Node, Arc<ServerLink>>>,
    pub(super) due: Due,
}

impl ClusterReplicas {
    /// Links to these replicas; none if they are not to be read from. Links to others end.
    pub(super) fn links(&self, config: &Config, of_masters: Vec<Vec<Node>>) -> Vec<Vec<Arc<ServerLink>>> {
        if !config.reads_replicas {
            return Vec::new();
        }
        let mut known = lock(&self.links);
        let mut current = HashMap::new();
        let mut links_to = |nodes: Vec<Node>| {
            let links = nodes.into_iter().map(|node| {
                let link = known.remove(&node).unwrap_or_else(|| link(config, node.clone()));
                current.entry(node).or_insert(link).clone()
            });
            links.collect()
        };
        let links = of_masters.into_iter().map(&mut links_to).collect();
        let gone = std::mem::replace(&mut *known, current);
        // Not under the lock: their ends come back to us.
        drop(known);
        drop(gone);
        links
    }
}
