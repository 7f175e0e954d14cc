//! Reads from replicas: which there are, and which of them is asked.
//!
//! No caller waits for a connection to a replica: while there is none, the master is asked. Each replica has half of
//! the deadline, so that there is time left for that.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{runtime::Handle, time::Instant};

use super::{
    address::Address,
    command::Reply,
    link::{Destination, LinkState, ServerLink},
    sentinel,
};
use crate::{
    redis::{config::Config, url::Node},
    sync::plain::lock,
};

/// How often it is asked which replicas there are, while something is read.
const APART: Duration = Duration::from_secs(5);

/// What one replica was asked, and what came of it; none where no replica could be used.
pub(crate) type ReplicaReply = Option<Reply>;

/// A link to a replica; not connected yet.
pub(super) fn link(config: &Config, node: Node) -> Arc<ServerLink> {
    let config = Config { deadline: config.deadline / 2, ..config.clone() };
    ServerLink::new(Arc::new(config), Destination::Replica(Address::Tcp(node)), None)
}

/// One of these that can be read from at once, by chance. Those found to be without a connection get one in the
/// background.
pub(super) fn pick(links: &[Arc<ServerLink>]) -> Option<&Arc<ServerLink>> {
    let first = fastrand::usize(..links.len().max(1));
    let (before, after) = links.split_at_checked(first)?;
    after.iter().chain(before).find(|link| {
        let is_usable = link.is_usable();
        if !is_usable {
            link.begin();
        }
        is_usable
    })
}

/// When the next look is due.
#[derive(Default)]
pub(super) struct Due(Mutex<Option<Instant>>);

impl Due {
    /// True for one caller in five seconds.
    pub(super) fn now(&self) -> bool {
        let now = Instant::now();
        let mut next = lock(&self.0);
        let is_due = next.is_none_or(|next| now >= next);
        if is_due {
            *next = Some(now + APART);
        }
        is_due
    }
}

/// The replicas of a master that sentinels watch.
pub(super) struct SentinelReplicas {
    config: Arc<Config>,
    master: String,
    links: ArcSwap<Vec<(Node, Arc<ServerLink>)>>,
    due: Due,
}

impl SentinelReplicas {
    pub(super) fn new(config: Arc<Config>, master: String) -> Arc<Self> {
        Arc::new(Self { config, master, links: ArcSwap::default(), due: Due::default() })
    }

    /// Asks the sentinels which replicas there are, in the background, unless that was done lately.
    pub(super) fn look(self: &Arc<Self>) {
        if !self.due.now() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let (this, config, master) = (Arc::downgrade(self), Arc::clone(&self.config), self.master.clone());
        runtime.spawn(async move {
            if let Ok(nodes) = sentinel::replicas(&config, &master).await {
                this.upgrade().inspect(|this| this.adopt(nodes));
            }
        });
    }

    fn adopt(&self, nodes: Vec<Node>) {
        let known = self.links.load();
        let links = nodes.into_iter().map(|node| {
            let known = known.iter().find(|(known, _)| *known == node).map(|(_, link)| Arc::clone(link));
            let link = known.unwrap_or_else(|| {
                let link = link(&self.config, node.clone());
                link.begin();
                link
            });
            (node, link)
        });
        self.links.store(Arc::new(links.collect()));
    }

    fn links(&self) -> Vec<Arc<ServerLink>> {
        self.links.load().iter().map(|(_, link)| Arc::clone(link)).collect()
    }

    pub(super) fn picked(self: &Arc<Self>) -> Option<Arc<ServerLink>> {
        self.look();
        pick(&self.links()).cloned()
    }

    pub(super) fn states(&self) -> Vec<LinkState> {
        self.links().iter().map(|link| link.state()).collect()
    }
}
