//! The way to all nodes of a cluster: which command goes where, and what happens when that changes.
//!
//! What other clients do here is measured by `tests/redis-clients`, which fails once one of them does all of it; the
//! figures are in `crates/larder/docs/redis-clients.md`.

mod ready;
mod redirections;
mod replica_calls;
mod replicas;
mod slots;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use ::redis::Pipeline;
use arc_swap::ArcSwapOption;
use futures_util::{StreamExt, future::join_all, stream};
use tokio::{runtime::Handle, sync::watch, time::Instant};

pub(super) use self::redirections::{REDIRECTIONS, redirection};
use self::{
    replicas::ClusterReplicas,
    slots::{Range, SLOTS, slot},
};
use super::{
    ConnectError,
    address::Address,
    batch::{self, Exchange},
    command::{Command, CommandFailure, Reply, Unavailable},
    link::{Destination, LinkState, ServerLink},
};
use crate::{
    error::Error,
    panic_guard,
    redis::{config::Config, url::Node},
    sync::plain::lock,
};

/// What errors call it.
pub(super) const NAME: &str = "the cluster";

/// The shortest time between two looks at who owns what.
const APART: Duration = Duration::from_millis(100);

/// Redirected commands of a batch that are under way at once.
const AT_ONCE: usize = 256;

/// The way to all nodes of a cluster.
pub(super) struct Cluster {
    config: Arc<Config>,
    map: ArcSwapOption<Map>,
    links: Mutex<HashMap<Node, Arc<ServerLink>>>,
    replicas: ClusterReplicas,
    /// Why the last look failed, if it did; changes with every look.
    looked: watch::Sender<Option<ConnectError>>,
    look: Mutex<Look>,
}

/// Who owns what.
struct Map {
    /// By slot, the place in `masters`. `NO_OWNER` for those without an owner.
    owners: Vec<u16>,
    masters: Vec<(Node, Arc<ServerLink>)>,
    /// Of each master; none unless they are read from.
    replicas: Vec<Vec<Arc<ServerLink>>>,
}

const NO_OWNER: u16 = u16::MAX;

/// What of a batch goes to one node, and where it stands in the batch.
struct PartOfBatch<'a> {
    link: &'a Arc<ServerLink>,
    indices: Vec<usize>,
    commands: Vec<Command>,
}

impl<'a> PartOfBatch<'a> {
    fn new(link: &'a Arc<ServerLink>) -> Self {
        Self { link, indices: Vec::new(), commands: Vec::new() }
    }
}

#[derive(Default)]
struct Look {
    task: u64,
    /// When the task will have ended, unless its runtime is gone; and then, when the next may begin.
    until: Option<Instant>,
}

impl Map {
    fn owner(&self, slot: u16) -> Option<&(Node, Arc<ServerLink>)> {
        self.masters.get(usize::from(self.owners[usize::from(slot)]))
    }
}

impl Cluster {
    pub(super) fn new(config: Arc<Config>) -> Arc<Self> {
        Arc::new(Self {
            config,
            map: ArcSwapOption::empty(),
            links: Mutex::default(),
            replicas: ClusterReplicas::default(),
            looked: watch::Sender::new(None),
            look: Mutex::default(),
        })
    }

    pub(super) async fn call(self: &Arc<Self>, now: Instant, command: &Command) -> Reply {
        let deadline = now + self.config.deadline;
        // What few calls come to is in a box: each call would have to have room for it.
        let map = match self.map.load_full() {
            Some(map) => map,
            None => Box::pin(self.map(deadline)).await?,
        };
        let (node, link) = self.route(&map, command)?;
        match link.call(now, &command.words).await {
            Ok(value) => Ok(value),
            failed => Box::pin(self.follow(node, (&command.words, deadline), failed)).await,
        }
    }

    /// When an operation has to end that begins now.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.config.deadline
    }

    /// One pipeline for each node, or several where it is long.
    pub(super) async fn call_many(self: &Arc<Self>, deadline: Instant, commands: Vec<Command>) -> Vec<Reply> {
        let count = commands.len();
        let map = match self.map(deadline).await {
            Ok(map) => map,
            Err(reason) => return (0..count).map(|_| Err(reason.clone().into())).collect(),
        };
        let mut replies: Vec<Option<Reply>> = (0..count).map(|_| None).collect();
        let mut parts: HashMap<&Node, PartOfBatch<'_>> = HashMap::new();
        for (index, command) in commands.into_iter().enumerate() {
            match self.route(&map, &command) {
                Ok((node, link)) => {
                    let part = parts.entry(node).or_insert_with(|| PartOfBatch::new(link));
                    part.indices.push(index);
                    part.commands.push(command);
                }
                Err(reason) => replies[index] = Some(Err(reason.into())),
            }
        }
        let (mut indices, mut exchanges) = (Vec::new(), Vec::new());
        for (node, part) in parts {
            indices.push(part.indices);
            exchanges.push(send_to(
                NodePart { cluster: self, node, link: part.link },
                part.commands,
                deadline,
            ));
        }
        for (indices, answers) in indices.into_iter().zip(join_all(exchanges).await) {
            for (index, answer) in indices.into_iter().zip(answers) {
                replies[index] = Some(answer);
            }
        }
        let lost = || Err(CommandFailure::Unavailable(Unavailable::Io(None)));
        replies.into_iter().map(|reply| reply.unwrap_or_else(lost)).collect()
    }

    fn route<'a>(
        self: &Arc<Self>,
        map: &'a Map,
        command: &Command,
    ) -> Result<(&'a Node, &'a Arc<ServerLink>), Unavailable> {
        let owner = match command.deciding_key() {
            Some(key) => map.owner(slot(key)),
            None => map.masters.get(fastrand::usize(..map.masters.len().max(1))),
        };
        let (node, link) = owner.ok_or_else(|| {
            self.look_again();
            Unavailable::Connect(None)
        })?;
        Ok((node, link))
    }

    fn link(&self, node: &Node) -> Arc<ServerLink> {
        let mut links = lock(&self.links);
        let link = links.entry(node.clone()).or_insert_with(|| {
            ServerLink::new(Arc::clone(&self.config), Destination::Fixed(Address::Tcp(node.clone())), None)
        });
        Arc::clone(link)
    }

    /// Who owns what; the first caller's is waited for.
    async fn map(self: &Arc<Self>, deadline: Instant) -> Result<Arc<Map>, Unavailable> {
        if Handle::try_current().is_err() {
            return Err(Unavailable::NoRuntime);
        }
        if let Some(map) = self.map.load_full() {
            return Ok(map);
        }
        let mut looked = self.looked.subscribe();
        let failed_before = looked.borrow_and_update().is_some();
        self.look_again();
        if failed_before {
            return Err(self.unknown());
        }
        match tokio::time::timeout_at(deadline, looked.changed()).await {
            Ok(_) => self.map.load_full().ok_or_else(|| self.unknown()),
            Err(_) => Err(Unavailable::Deadline),
        }
    }

    /// Who owns what is not known, because of how the last look ended.
    fn unknown(&self) -> Unavailable {
        let failure = self.looked.borrow().clone();
        Unavailable::Connect(failure.map(|failure| Arc::new(Error::from(failure.of(NAME))) as _))
    }

    /// Asks who owns what in the background, unless another call does, or just did.
    pub(super) fn look_again(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let now = Instant::now();
        let mut look = lock(&self.look);
        if look.until.is_some_and(|until| now < until) {
            return;
        }
        look.task += 1;
        look.until = Some(now + self.config.connect_timeout + Duration::from_secs(1));
        let looking = Looking { cluster: Arc::downgrade(self), task: look.task };
        drop(look);
        let config = Arc::clone(&self.config);
        runtime.spawn(async move {
            let outcome = slots::ranges(&config).await;
            if let Some(cluster) = looking.cluster.upgrade() {
                cluster.seen(outcome);
            }
        });
    }

    fn seen(&self, outcome: Result<Vec<Range>, ConnectError>) {
        let error = match outcome {
            Ok(ranges) => {
                self.adopt(ranges);
                None
            }
            Err(error) => Some(error),
        };
        let _ = panic_guard::contain(|| self.looked.send_replace(error));
    }

    fn adopt(&self, ranges: Vec<Range>) {
        let mut owners = vec![NO_OWNER; SLOTS];
        let mut masters: Vec<(Node, Arc<ServerLink>)> = Vec::new();
        let mut replicas = Vec::new();
        for Range { first, last, master, replicas: copies } in ranges {
            let known = masters.iter().position(|(node, _)| *node == master);
            let index = known.unwrap_or_else(|| {
                masters.push((master.clone(), self.link(&master)));
                replicas.push(copies);
                masters.len() - 1
            });
            if let (Ok(index), true) = (u16::try_from(index), first <= last) {
                owners[usize::from(first)..=usize::from(last)].fill(index);
            }
        }
        *lock(&self.config.known) = masters.iter().map(|(node, _)| node.clone()).collect();
        // The links of others end, with their attempts to connect, when their last callers are gone.
        let gone: Vec<_> = {
            let mut links = lock(&self.links);
            let current = masters.iter().cloned().collect();
            std::mem::replace(&mut *links, current).into_iter().collect()
        };
        let replicas = self.replicas.links(&self.config, replicas);
        self.map.store(Some(Arc::new(Map { owners, masters, replicas })));
        drop(gone);
    }

    /// The links to all masters that are known.
    pub(super) fn links(&self) -> Vec<Arc<ServerLink>> {
        let map = self.map.load();
        map.iter().flat_map(|map| &map.masters).map(|(_, link)| Arc::clone(link)).collect()
    }

    pub(super) fn states(&self) -> Vec<LinkState> {
        let map = self.map.load();
        map.iter().flat_map(|map| &map.masters).map(|(_, link)| link.state()).collect()
    }

    pub(super) fn is_within_reach(&self) -> bool {
        let map = self.map.load();
        map.iter().flat_map(|map| &map.masters).any(|(_, link)| link.is_within_reach())
    }
}

/// Lets the next look begin, a little later, however this one ends.
struct Looking {
    cluster: Weak<Cluster>,
    task: u64,
}

impl Drop for Looking {
    fn drop(&mut self) {
        let Some(cluster) = self.cluster.upgrade() else { return };
        let mut look = lock(&cluster.look);
        if look.task == self.task {
            look.until = Some(Instant::now() + APART);
        }
    }
}

/// The master that owns a key, as the cluster says now.
pub(super) async fn owner(config: &Config, key: &[u8]) -> Result<Node, ConnectError> {
    let slot = slot(key);
    let ranges = slots::ranges(config).await?;
    let owner = ranges.into_iter().find(|range| (range.first..=range.last).contains(&slot));
    owner
        .map(|range| range.master)
        .ok_or_else(|| ConnectError::transient(format!("no node owns the slot {slot}")).of(NAME))
}

/// The node that takes a part of a batch.
struct NodePart<'a> {
    cluster: &'a Arc<Cluster>,
    node: &'a Node,
    link: &'a Arc<ServerLink>,
}

async fn send_to(part: NodePart<'_>, commands: Vec<Command>, deadline: Instant) -> Vec<Reply> {
    batch::send(commands, &part, deadline).await
}

impl Exchange for NodePart<'_> {
    fn deadline(&self) -> Instant {
        self.cluster.deadline()
    }

    async fn exchange(&self, pipeline: &Pipeline, deadline: Instant) -> Result<Vec<Reply>, Unavailable> {
        let replies = self.link.exchange(pipeline, deadline).await;
        let replies = replies.inspect_err(|_| self.cluster.look_again())?;
        let mut followed = Vec::with_capacity(replies.len());
        for (command, reply) in pipeline.cmd_iter().zip(replies) {
            followed.push(self.cluster.follow(self.node, (command, deadline), reply));
        }
        Ok(stream::iter(followed).buffered(AT_ONCE).collect().await)
    }
}
