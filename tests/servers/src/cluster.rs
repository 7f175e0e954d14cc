//! Three masters, each with a replica.

use std::thread;
use std::time::Duration;

use super::builder::RedisServerBuilder;
use super::server::RedisServer;
use super::topology::{self, Node};
use super::wait::{self, until};

const MASTERS: usize = 3;
const NODES: usize = 2 * MASTERS;
const SLOTS: u16 = 16_384;

/// Milliseconds of silence after which a node counts as down. Shorter, and a busy machine makes
/// failovers of its own.
const NODE_TIMEOUT: &str = "2000";

/// Nodes are called by their index: at first 0 to 2 are masters, and 3 to 5 their replicas in order.
/// Which slots a node has, and who follows whom, is asked of the servers each time.
///
/// Kill, pause and restart nodes through [`server`](Self::server), and wait with
/// [`wait_until_settled`](Self::wait_until_settled).
#[derive(Debug)]
pub struct RedisCluster {
    servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts a cluster, and waits until all its nodes agree on it.
    ///
    /// # Panics
    ///
    /// If it does not come about.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a cluster whose nodes have these lines in their configuration.
    ///
    /// # Panics
    ///
    /// If it does not come about.
    #[must_use]
    pub fn start_with(config: &[(&str, &str)]) -> Self {
        let builder = RedisServer::builder();
        Self::of(config.iter().fold(builder, |builder, (name, value)| builder.config(name, value)))
    }

    /// Starts a cluster that speaks TLS only, also among its nodes, all with the same certificates.
    ///
    /// # Panics
    ///
    /// If it does not come about.
    #[must_use]
    pub fn start_with_tls() -> Self {
        Self::of(RedisServer::builder().tls().config("tls-cluster", "yes").config("tls-replication", "yes"))
    }

    fn of(builder: RedisServerBuilder) -> Self {
        let builder = builder
            .cluster()
            .append_only()
            .config("cluster-node-timeout", NODE_TIMEOUT)
            .config("cluster-announce-ip", "127.0.0.1")
            // However long a replica was out of touch, it may take over: tests are about what is lost then.
            .config("cluster-replica-validity-factor", "0")
            // Who follows whom is for the test to say.
            .config("cluster-allow-replica-migration", "no");
        let servers = thread::scope(|scope| {
            let starts: Vec<_> = (0..NODES).map(|_| scope.spawn(|| builder.clone().start())).collect();
            starts.into_iter().map(|start| start.join().expect("a node starts")).collect()
        });
        let cluster = Self { servers };
        cluster.introduce();
        cluster.assign();
        cluster.wait_until_settled();
        cluster
    }

    /// What `redis-cli --cluster create` does first, without its pauses of whole seconds.
    fn introduce(&self) {
        for (epoch, server) in (1..).zip(&self.servers) {
            server.command::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")]);
        }
        let first = &self.servers[0];
        for server in &self.servers[1..] {
            let bus = server.bus_port().expect("a node has a bus");
            let (port, bus) = (server.port().to_string(), bus.to_string());
            first.command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        until("all nodes know each other", || {
            let acquainted = |server| {
                let nodes = topology::nodes(server)?;
                (nodes.len() == NODES && !nodes.iter().any(|node| node.troubled)).then_some(())
            };
            self.servers.iter().try_for_each(acquainted)
        });
    }

    /// Slots to the masters, replicas to their masters.
    fn assign(&self) {
        let (masters, replicas) = self.servers.split_at(MASTERS);
        let shares = (0..).step_by(usize::from(SLOTS).div_ceil(MASTERS));
        for ((master, replica), first) in masters.iter().zip(replicas).zip(shares) {
            let last = (first + usize::from(SLOTS).div_ceil(MASTERS)).min(usize::from(SLOTS));
            let slots: Vec<String> = (first..last).map(|slot| slot.to_string()).collect();
            let mut words = vec!["CLUSTER", "ADDSLOTS"];
            words.extend(slots.iter().map(String::as_str));
            master.command::<()>(&words);
            replica.command::<()>(&["CLUSTER", "REPLICATE", &self.id(master)]);
        }
    }

    /// Waits until every node that is up says that the cluster is ok, sees the same owners of all slots,
    /// and has the link to its master if it is a replica.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    pub fn wait_until_settled(&self) {
        until("the cluster is settled", || self.owners().map(drop));
    }

    /// Who owns what, if everyone who is up agrees.
    fn owners(&self) -> Option<Vec<Node>> {
        let mut agreed: Option<Vec<Node>> = None;
        for server in self.servers.iter().filter(|server| server.is_up()) {
            let state: String = server.try_command(&["CLUSTER", "INFO"]).ok()?;
            let following = server.info("replication", "master_link_status").is_none_or(|link| link == "up");
            if !state.contains("cluster_state:ok") || !following {
                return None;
            }
            // Nodes that are down keep no slots, and everyone may remember something else about them.
            let up =
                |node: &Node| self.servers.iter().any(|server| server.port() == node.port && server.is_up());
            let known = topology::nodes(server)?.into_iter().filter(up);
            let view: Vec<Node> = known.map(|node| Node { myself: false, ..node }).collect();
            let whole =
                view.iter().flat_map(|node| &node.slots).map(|(first, last)| last - first + 1).sum::<u16>();
            let same = agreed.as_ref().is_none_or(|agreed| *agreed == view);
            if whole != SLOTS || !same || view.iter().any(|node| node.troubled) {
                return None;
            }
            agreed = Some(view);
        }
        agreed
    }

    /// URLs of all nodes, of which a client may take any.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(RedisServer::url).collect()
    }

    /// All nodes.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// A node.
    ///
    /// # Panics
    ///
    /// If there is none with this index.
    #[must_use]
    pub fn server(&self, index: usize) -> &RedisServer {
        &self.servers[index]
    }

    /// The slot of a key.
    ///
    /// # Panics
    ///
    /// If no node is up.
    #[must_use]
    pub fn slot_of(&self, key: &str) -> u16 {
        let server = self.servers.iter().find(|server| server.is_up()).expect("a node is up");
        server.command(&["CLUSTER", "KEYSLOT", key])
    }

    /// The master that owns a slot, once everyone agrees.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    #[must_use]
    pub fn master_of(&self, slot: u16) -> usize {
        let owner = |nodes: Vec<Node>| nodes.into_iter().find(|node| node.holds(slot));
        let owner = until("a slot has an owner", || self.owners().and_then(owner));
        self.index_of(&owner)
    }

    /// A replica of a master, once everyone agrees that there is one.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    #[must_use]
    pub fn replica_of(&self, master: usize) -> usize {
        let id = self.id(&self.servers[master]);
        let follower = |nodes: Vec<Node>| nodes.into_iter().find(|node| node.follows.as_ref() == Some(&id));
        let replica = until("a master has a replica", || self.owners().and_then(follower));
        self.index_of(&replica)
    }

    fn index_of(&self, node: &Node) -> usize {
        self.servers.iter().position(|server| server.port() == node.port).expect("the nodes are ours")
    }

    /// Kills the master of a slot once its replica has everything, waits until that has taken over, and
    /// tells who was killed. It comes back as a replica when it is restarted.
    ///
    /// To lose what was not replicated yet, kill the [`server`](Self::server).
    ///
    /// # Panics
    ///
    /// If no replica takes over.
    pub fn kill_master_of(&self, slot: u16) -> usize {
        let master = self.master_of(slot);
        let (lost, replica) = (&self.servers[master], &self.servers[self.replica_of(master)]);
        until("the replica has everything", || lost.has_reached(replica));
        lost.kill();
        assert_ne!(self.master_of(slot), master, "a dead node owns a slot");
        master
    }

    /// `CLUSTER FAILOVER`: lets the replica take over from the master of a slot, with nothing lost, waits
    /// until everyone agrees, and tells who the new master is.
    ///
    /// # Panics
    ///
    /// If no replica takes over.
    pub fn failover(&self, slot: u16) -> usize {
        let master = self.master_of(slot);
        let replica = self.replica_of(master);
        until("the replica takes over", || {
            // Refused while another failover is under way; given up by the replica when it takes too long.
            let _ = self.servers[replica].try_command::<()>(&["CLUSTER", "FAILOVER"]);
            wait::within(Duration::from_secs(6), || {
                topology::myself(&self.servers[replica]).filter(|node| node.holds(slot))
            })
        });
        self.wait_until_settled();
        replica
    }

    /// Moves a slot with all its keys to another master in one step, as Valkey 9 does, and waits until everyone agrees.
    ///
    /// # Panics
    ///
    /// If a node refuses, or it does not come about.
    pub fn migrate_slot_atomically(&self, slot: u16, to: usize) {
        let (from, number, target) = (self.master_of(slot), slot.to_string(), self.id(&self.servers[to]));
        let words = ["CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", &number, &number, "NODE", &target];
        self.servers[from].command::<()>(&words);
        until("a slot has another owner", || (self.master_of(slot) == to).then_some(()));
        self.wait_until_settled();
    }

    pub(super) fn id(&self, server: &RedisServer) -> String {
        server.command(&["CLUSTER", "MYID"])
    }
}
