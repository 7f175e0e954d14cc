//! What is asked of the nodes: entries, generations, and the counter that these are taken from.

mod generations;
mod inserts;
mod items;
mod tasks;
mod together;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use larder::{
    Scope,
    internal::shared::{Generations, Leases, SharedEntries},
};
use tokio::{runtime::Handle, sync::Semaphore};

pub(crate) use self::{
    generations::{Read, get_one},
    inserts::mark_text,
    items::{Found, NewItem, ask, ask_in_turn},
    together::Together,
};
use crate::{
    client::Node,
    names::{Names, Placement},
    stamp::Incarnations,
};

/// What all clones of a cache share, and its tasks in the background too.
pub(crate) struct Store {
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) placement: Placement,
    pub(crate) names: Names,
    pub(crate) order: Generations,
    pub(crate) entries: SharedEntries,
    /// None unless they were asked for.
    pub(crate) leases: Option<Leases>,
    pub(crate) incarnations: Incarnations,
    pub(crate) deadline: Duration,
    /// For callers that insert: these hold connections while they wait for another one.
    pub(crate) inserters: Semaphore,
    pub(crate) beginning: Together,
    pub(crate) looking: Together,
    /// The runtime that connections and tasks in the background belong to.
    pub(crate) runtime: Handle,
}

impl Store {
    pub(crate) fn node_of(&self, name: &str) -> &Arc<Node> {
        &self.nodes[self.placement.of(name)]
    }

    /// The nodes on which scopes have their generations, and keys their counters.
    pub(crate) fn nodes_of(&self, scopes: &[Scope]) -> Vec<Arc<Node>> {
        let generations = scopes.iter().map(|scope| self.names.generation(scope.hash()));
        let counters = scopes.iter().filter_map(Scope::as_key).map(|key| self.names.counter(key));
        let indexes: BTreeSet<_> = generations.chain(counters).map(|name| self.placement.of(&name)).collect();
        indexes.into_iter().map(|index| self.nodes[index].clone()).collect()
    }

    /// The node of the counter that generations are taken from.
    pub(crate) fn counter_node(&self) -> &Arc<Node> {
        self.node_of(&self.names.clock())
    }

    /// Whether it is worth waiting for an insert of this key to be proved.
    pub(crate) fn proves(&self, key: &str) -> bool {
        let generation = self.names.generation(Scope::key(key).hash());
        self.counter_node().is_up() && self.node_of(&generation).is_up()
    }

    /// Whether it is worth waiting for any of the nodes.
    pub(crate) fn is_within_reach(&self) -> bool {
        tokio::runtime::Handle::try_current().is_ok() && self.nodes.iter().any(|node| node.is_up())
    }
}
