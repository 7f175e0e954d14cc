//! The faults themselves.

use std::thread;
use std::time::Duration;

use super::{Fault, LOG, World};
use crate::caches::calls;
use crate::history::run::Live;
use larder_servers::{Data, Direction, Proxy, RedisCluster, RedisSentinel, RedisServer, until};

/// Longer than any deadline of the cache.
const LONGER_THAN_CALLERS_WAIT: Duration = Duration::from_secs(3);

/// For how long a worker is kept from hearing of what is about to be lost.
const DEAF: Duration = Duration::from_millis(300);

/// For how long a master acknowledges what dies with it: less than what makes others take it for dead.
const DOOMED: Duration = Duration::from_secs(1);

const LONGEST_OUTAGE: Duration = Duration::from_secs(300);

/// How many long outages there are when everything happens, at even distances.
const LONG_OUTAGES: u32 = 2;

const LEAST_REST: Duration = Duration::from_millis(150);
const MOST_REST: Duration = Duration::from_millis(900);

impl Fault {
    /// What can happen to one server and its links, but for what takes long.
    const OF_ONE_SERVER: [Self; 13] = [
        Self::RestartKept,
        Self::RestartLost,
        Self::Flush,
        Self::DeleteLog,
        Self::TrimLog,
        Self::KillClients,
        Self::StopServer,
        Self::StopWorker,
        Self::Delay,
        Self::Cut,
        Self::HalfClose,
        Self::BlackHole,
        Self::Throttle,
    ];

    /// Happens again and again at random moments, until the time is over; everything is healed on return.
    pub(super) fn disturb(self, world: &World, live: &Live<'_>) {
        let mut random = fastrand::Rng::new();
        if self == Self::Nothing {
            return;
        }
        let mut outages = 0;
        loop {
            live.rest(&mut random, LEAST_REST, MOST_REST);
            if live.is_over() {
                return;
            }
            // By the clock and not by chance: each run has all of them, and time for the other faults.
            let due = live.lasts() * (2 * outages + 1) / (2 * LONG_OUTAGES);
            let is_outage = self == Self::Everything && outages < LONG_OUTAGES && live.elapsed() >= due;
            outages += u32::from(is_outage);
            let fault = if is_outage { Self::LongOutage } else { self };
            match world {
                World::Single(server, proxy) => fault.strike(server, proxy, live, &mut random),
                World::Cluster(cluster) => self.strike_cluster(cluster, live, &mut random),
                World::Sentinel(sentinel) => self.strike_sentinel(sentinel, live, &mut random),
            }
        }
    }

    fn strike(self, server: &RedisServer, proxy: &Proxy, live: &Live<'_>, random: &mut fastrand::Rng) {
        // Every other time, a worker has not heard yet of what is lost.
        let worker = random.usize(..live.workers());
        let deaf = random.bool();
        let loses = |lose: &dyn Fn()| {
            if !deaf {
                return lose();
            }
            live.while_stopped(worker, || {
                thread::sleep(DEAF);
                lose();
            });
        };
        match self {
            Self::RestartKept => server.restart(Data::Kept),
            Self::RestartLost => loses(&|| server.restart(Data::Lost)),
            Self::Flush => loses(&|| server.flush_all()),
            Self::DeleteLog => loses(&|| _ = server.delete(LOG)),
            Self::TrimLog => {
                let kept = if random.bool() { 10 } else { 0 };
                loses(&|| _ = server.trim_stream(LOG, kept));
            }
            Self::KillClients | Self::PanickingSubscriber => _ = server.kill_clients(),
            Self::LongOutage => {
                server.kill();
                let long = (live.lasts() / 6).min(LONGEST_OUTAGE);
                live.rest(random, long, long);
                server.restart(Data::Kept);
            }
            Self::Everything => {
                let fault = Self::OF_ONE_SERVER[random.usize(..Self::OF_ONE_SERVER.len())];
                fault.strike(server, proxy, live, random);
            }
            Self::StopServer => {
                server.pause();
                thread::sleep(LONGER_THAN_CALLERS_WAIT);
                server.resume();
            }
            Self::StopWorker => {
                live.while_stopped(worker, || thread::sleep(LONGER_THAN_CALLERS_WAIT));
            }
            Self::KillWorker => {
                let dead = Duration::from_millis(random.u64(..300));
                // Every other time the one that finds on disk what it left there.
                let worker = live.on_disk().filter(|_| random.bool()).unwrap_or(worker);
                live.while_dead(worker, || {
                    thread::sleep(dead);
                    if deaf {
                        server.trim_stream(LOG, 0);
                    }
                });
            }
            _ => self.strike_link(proxy, random),
        }
    }

    fn strike_link(self, proxy: &Proxy, random: &mut fastrand::Rng) {
        let way = if random.bool() { Direction::ToServer } else { Direction::ToClient };
        let short = Duration::from_millis(random.u64(20..1_000));
        match self {
            Self::Delay => {
                let late = larder_servers::Fault::Delay(Duration::from_millis(random.u64(5..400)));
                if random.bool() {
                    proxy.set(way, late);
                } else {
                    proxy.set_both(late);
                }
                thread::sleep(short);
            }
            Self::Throttle => {
                proxy.set_both(larder_servers::Fault::Throttle(random.u64(10_000..500_000)));
                thread::sleep(short);
            }
            Self::Cut => proxy.cut(),
            Self::HalfClose => {
                proxy.half_close(way);
                thread::sleep(short);
                // A worker that did not notice is not to stay so for ever: nothing would come about any more.
                proxy.cut();
            }
            _ => {
                if random.bool() {
                    proxy.blackhole();
                } else {
                    proxy.set(way, larder_servers::Fault::Swallow);
                }
                thread::sleep(if random.bool() { short } else { LONGER_THAN_CALLERS_WAIT });
            }
        }
        proxy.heal();
    }

    fn strike_cluster(self, cluster: &RedisCluster, live: &Live<'_>, random: &mut fastrand::Rng) {
        let slot = cluster.slot_of(LOG);
        match self {
            Self::ClusterFailover => _ = cluster.failover(slot),
            Self::MoveLog => {
                let owner = cluster.master_of(slot);
                let masters: Vec<usize> = (0..cluster.servers().len())
                    .filter(|&node| node != owner && is_master(cluster.server(node)))
                    .collect();
                cluster.migrate_slot(slot, masters[random.usize(..masters.len())]);
            }
            _ => live.may_lose(|| {
                let master = cluster.master_of(slot);
                let replica = cluster.replica_of(master);
                let both = (cluster.server(master), cluster.server(replica));
                kill_before_all_is_copied(both, live, random);
                until("the replica takes over", || (cluster.master_of(slot) == replica).then_some(()));
                cluster.server(master).restart(Data::Kept);
                cluster.wait_until_settled();
            }),
        }
    }

    fn strike_sentinel(self, sentinel: &RedisSentinel, live: &Live<'_>, random: &mut fastrand::Rng) {
        if self == Self::LaggingReplica {
            let master = sentinel.master();
            leave_behind(&sentinel.servers()[master], &sentinel.servers()[1 - master], random);
            return;
        }
        live.may_lose(|| {
            if self == Self::SentinelFailover {
                sentinel.failover();
                return;
            }
            let master = sentinel.master();
            let both = (&sentinel.servers()[master], &sentinel.servers()[1 - master]);
            kill_before_all_is_copied(both, live, random);
            until("the replica takes over", || (sentinel.master() != master).then_some(()));
            sentinel.restart(master, Data::Kept);
        });
    }
}

fn is_master(server: &RedisServer) -> bool {
    server.info("replication", "role").as_deref() == Some("master")
}

/// What the master is given does not reach the replica for a while, which is read from all the same.
fn leave_behind(master: &RedisServer, replica: &RedisServer, random: &mut fastrand::Rng) {
    master.refuse_replicas();
    let before = calls(replica, "get");
    thread::sleep(Duration::from_millis(random.u64(300..1_500)));
    until("the replica is read from", || (calls(replica, "get") > before).then_some(()));
    master.accept_replicas();
    until("the replica is back", || {
        (replica.info("replication", "master_link_status")? == "up").then_some(())
    });
}

/// What the master acknowledged until now is on the replica; what it acknowledges from here on dies with it, and
/// every other time a worker has not heard of that.
fn kill_before_all_is_copied(
    (master, replica): (&RedisServer, &RedisServer),
    live: &Live<'_>,
    random: &mut fastrand::Rng,
) {
    let offset = |server: &RedisServer, field| server.info("replication", field)?.parse::<u64>().ok();
    let sent = until("the master says how far it is", || offset(master, "master_repl_offset"));
    until("the replica has everything", || (offset(replica, "slave_repl_offset")? >= sent).then_some(()));
    // Stopped alone it would find all of it in its socket later on.
    replica.pause();
    master.command::<usize>(&["CLIENT", "KILL", "TYPE", "replica"]);
    let wait_and_kill = || {
        thread::sleep(DOOMED);
        master.kill();
    };
    if random.bool() {
        live.while_stopped(random.usize(..live.workers()), wait_and_kill);
    } else {
        wait_and_kill();
    }
    replica.resume();
}
