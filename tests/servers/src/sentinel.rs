//! A master, its replica, and three sentinels.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::builder::RedisServerBuilder;
use super::server::{Data, RedisServer};
use super::wait::{self, until};

const SENTINELS: usize = 3;

/// Sentinels that have to agree that the master is down.
const QUORUM: usize = 2;

/// Milliseconds of silence after which the master counts as down. Shorter, and a busy machine makes
/// failovers of its own.
const DOWN_AFTER: &str = "2000";

/// Milliseconds that a failover may take; the next attempt comes after twice as long.
const FAILOVER_TIMEOUT: &str = "5000";

/// How often they look and talk, in milliseconds. Their own values, up to ten seconds, are for
/// production. Servers before 7.0 do not let us, and are slower. Not the pings: a replica that was not
/// heard of for five of their periods is no candidate, and it is asked once a second at best.
const HASTE: [(&str, &str); 5] = [
    ("info-period", "100"),
    ("ask-period", "100"),
    ("publish-period", "200"),
    ("min-link-reconnect-period", "100"),
    // A sentinel that did not run for two seconds does nothing for thirty: on a busy machine, in vain.
    ("tilt-trigger", "60000"),
];

/// Two servers, called 0 and 1, the first of which is the master at first, watched by three sentinels.
#[derive(Debug)]
pub struct RedisSentinel {
    servers: [RedisServer; 2],
    sentinels: Vec<RedisServer>,
}

impl RedisSentinel {
    /// The name under which the sentinels know the master.
    pub const SERVICE: &'static str = "larder";

    /// Starts all five, and waits until each knows of the others.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    #[must_use]
    pub fn start() -> Self {
        Self::of(&RedisServer::builder())
    }

    /// Starts all five, which speak TLS only, also to each other, all with the same certificates.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    #[must_use]
    pub fn start_with_tls() -> Self {
        Self::of(&RedisServer::builder().tls().config("tls-replication", "yes"))
    }

    fn of(builder: &RedisServerBuilder) -> Self {
        let server = builder.clone().append_only();
        let master = server.clone().start();
        let port = master.port().to_string();
        let follows = format!("127.0.0.1 {port}");
        let replica = server.config("replicaof", &follows).start();
        // A sentinel that sees the master before its replica would not look again for a while.
        until("the master has its replica", || linked(&replica));
        let service = Self::SERVICE;
        let sentinel = builder
            .clone()
            .sentinel()
            .config("sentinel", &format!("monitor {service} {follows} {QUORUM}"))
            .config("sentinel", &format!("down-after-milliseconds {service} {DOWN_AFTER}"))
            .config("sentinel", &format!("failover-timeout {service} {FAILOVER_TIMEOUT}"));
        let sentinels = thread::scope(|scope| {
            let starts: Vec<_> = (0..SENTINELS).map(|_| scope.spawn(|| sentinel.clone().start())).collect();
            starts.into_iter().map(|start| start.join().expect("a sentinel starts")).collect()
        });
        let this = Self { servers: [master, replica], sentinels };
        this.sentinels.iter().for_each(hurry);
        this.wait_until_settled();
        this
    }

    /// URLs of the sentinels.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// The two servers.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// Which server is the master, once all sentinels and the server itself say so.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    #[must_use]
    pub fn master(&self) -> usize {
        until("the sentinels agree on a master", || self.agreed())
    }

    /// Where the master is, once all sentinels and the server itself say so.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    #[must_use]
    pub fn master_address(&self) -> SocketAddr {
        self.servers[self.master()].address()
    }

    fn agreed(&self) -> Option<usize> {
        let mut ports = self.up().map(|sentinel| {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::SERVICE];
            sentinel.try_command::<(String, u16)>(&words).ok().map(|(_, port)| port)
        });
        let port = ports.next()??;
        let same = ports.all(|other| other == Some(port));
        let index = self.servers.iter().position(|server| server.port() == port)?;
        let master = &self.servers[index];
        let itself = master.is_up() && master.info("replication", "role").as_deref() == Some("master");
        (same && itself).then_some(index)
    }

    fn up(&self) -> impl Iterator<Item = &RedisServer> {
        self.sentinels.iter().filter(|sentinel| sentinel.is_up())
    }

    /// Waits until all sentinels agree on the master, the other server follows it if it is up, and a
    /// failover would find everything it needs.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    pub fn wait_until_settled(&self) {
        until("the sentinels are settled", || {
            let other = &self.servers[1 - self.agreed()?];
            if !other.is_up() {
                return Some(());
            }
            linked(other)?;
            self.up().try_for_each(|sentinel| {
                let count = |what| {
                    let list: Vec<redis::Value> =
                        sentinel.try_command(&["SENTINEL", what, Self::SERVICE]).ok()?;
                    Some(list.len())
                };
                let fit = sentinel.try_command::<()>(&["SENTINEL", "CKQUORUM", Self::SERVICE]).is_ok();
                let whole = count("REPLICAS")? == 1 && count("SENTINELS")? == SENTINELS - 1;
                (fit && whole).then_some(())
            })
        });
    }

    fn wait_until_replicated(&self, master: usize) {
        let (master, other) = (&self.servers[master], &self.servers[1 - master]);
        until("the replica has everything", || master.has_reached(other));
    }

    /// `SENTINEL FAILOVER`: makes the other server the master once it has everything, waits until everyone
    /// agrees, and tells which it is. The old master follows it.
    ///
    /// Sentinels do not wait for the replica: what the old master is given meanwhile is lost.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    pub fn failover(&self) -> usize {
        let old = self.master();
        self.wait_until_replicated(old);
        until("the replica is made the master", || {
            // Refused while another is under way, and while the replica was not heard of for a moment.
            let sentinel = self.up().next()?;
            let _ = sentinel.try_command::<()>(&["SENTINEL", "FAILOVER", Self::SERVICE]);
            wait::within(Duration::from_secs(8), || self.agreed().filter(|master| *master != old))
        });
        self.wait_until_settled();
        self.master()
    }

    /// Kills the master once the other server has everything, waits until the sentinels have made that the
    /// master, and tells who was killed.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    pub fn kill_master(&self) -> usize {
        let old = self.master();
        self.wait_until_replicated(old);
        self.servers[old].kill();
        until("the replica is made the master", || self.agreed().filter(|master| *master != old));
        old
    }

    /// Brings a killed server back, and waits until it follows the master.
    ///
    /// # Panics
    ///
    /// If that does not come about.
    pub fn restart(&self, server: usize, data: Data) {
        self.servers[server].restart(data);
        self.wait_until_settled();
    }
}

/// Whether a server is a replica that is in touch with its master.
fn linked(server: &RedisServer) -> Option<()> {
    (server.info("replication", "master_link_status")? == "up").then_some(())
}

fn hurry(sentinel: &RedisServer) {
    for (name, value) in HASTE {
        let _ = sentinel.try_command::<()>(&["SENTINEL", "DEBUG", name, value]);
    }
}
