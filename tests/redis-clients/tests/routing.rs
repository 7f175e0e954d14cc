//! What a cache needs of a client of Redis Cluster, asked of those that there are. Each question has a limit that a
//! caller of a cache notices; the table of answers is printed.
//!
//! larder keeps a routing of its own as long as no other client stays within all limits: when
//! `no_other_client_does_all_of_it` fails, take the client that does, and delete
//! `crates/larder/src/redis/connection/cluster.rs`.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use larder_servers::{RedisCluster, RedisServer, until};

/// After a replica has taken over, its keys are there again within this time.
const BACK: Duration = Duration::from_millis(1_500);

/// No call takes longer than this, whatever happens to servers: with timeouts of 250 ms where they can be set.
const LONGEST: Duration = Duration::from_secs(1);

/// Each of the three commands of a batch blocks on its own node for this long, which is less than [`TIMEOUT`]: one by
/// one they take three times that.
const BLOCK: Duration = Duration::from_millis(150);
const BATCH: Duration = Duration::from_millis(300);

/// A test that waits for a client that does not come back gives up here.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is set, where a client lets it be set.
const TIMEOUT: Duration = Duration::from_millis(250);

#[async_trait]
trait Client: Send + Sync {
    async fn get(&self, key: &str) -> Result<(), String>;

    /// `BLPOP` for each key, by whatever the client offers for a batch.
    async fn batch(&self, keys: &[String]) -> Result<(), String>;

    /// The same as calls of their own, all at once.
    async fn at_once(&self, keys: &[String]) -> Result<(), String>;
}

macro_rules! redis_rs {
    ($module:ident, $redis:ident) => {
        mod $module {
            use super::*;
            use $redis::{
                AsyncTypedCommands as _, cluster::ClusterClientBuilder, cluster_async::ClusterConnection,
            };

            pub struct Of(ClusterConnection);

            pub async fn connect(urls: Vec<String>, tuned: bool) -> Arc<dyn Client> {
                let mut builder = ClusterClientBuilder::new(urls);
                if tuned {
                    builder = builder.response_timeout(TIMEOUT).connection_timeout(TIMEOUT);
                }
                let client = builder.build().expect("the URLs are right");
                Arc::new(Of(client.get_async_connection().await.expect("a cluster is there")))
            }

            #[async_trait]
            impl Client for Of {
                async fn get(&self, key: &str) -> Result<(), String> {
                    let mut connection = self.0.clone();
                    connection.get(key).await.map(drop).map_err(|error| error.to_string())
                }

                async fn batch(&self, keys: &[String]) -> Result<(), String> {
                    let mut pipeline = $redis::pipe();
                    for key in keys {
                        pipeline.cmd("BLPOP").arg(key).arg(BLOCK.as_secs_f64());
                    }
                    let done = pipeline.query_async::<$redis::Value>(&mut self.0.clone()).await;
                    done.map(drop).map_err(|error| error.to_string())
                }

                async fn at_once(&self, keys: &[String]) -> Result<(), String> {
                    let calls = keys.iter().map(|key| {
                        let (mut connection, key) = (self.0.clone(), key.clone());
                        tokio::spawn(async move {
                            let mut command = $redis::cmd("BLPOP");
                            command.arg(key).arg(BLOCK.as_secs_f64());
                            command.query_async::<$redis::Value>(&mut connection).await.map(drop)
                        })
                    });
                    for call in calls.collect::<Vec<_>>() {
                        call.await.expect("it does not panic").map_err(|error| error.to_string())?;
                    }
                    Ok(())
                }
            }
        }
    };
}

redis_rs!(stable, redis1);
redis_rs!(candidate, redis2);

mod fred_rs {
    use fred::{
        clients::Client as Fred,
        interfaces::{ClientLike as _, KeysInterface as _, ListInterface as _},
        types::config::{
            Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, ServerConfig, UnresponsiveConfig,
        },
    };

    use super::*;

    pub struct Of(Fred);

    pub async fn connect(nodes: Vec<(String, u16)>, tuned: bool) -> Arc<dyn Client> {
        let config = Config { server: ServerConfig::new_clustered(nodes), ..Config::default() };
        let client = if tuned {
            let unresponsive =
                UnresponsiveConfig { max_timeout: Some(TIMEOUT * 2), interval: Duration::from_millis(100) };
            let connection = ConnectionConfig {
                connection_timeout: TIMEOUT,
                internal_command_timeout: TIMEOUT,
                unresponsive,
                ..ConnectionConfig::default()
            };
            let performance =
                PerformanceConfig { default_command_timeout: TIMEOUT, ..PerformanceConfig::default() };
            let again = ReconnectPolicy::new_constant(0, 20);
            Fred::new(config, Some(performance), Some(connection), Some(again))
        } else {
            Fred::new(config, None, None, Some(ReconnectPolicy::default()))
        };
        client.init().await.expect("a cluster is there");
        Arc::new(Of(client))
    }

    #[async_trait]
    impl Client for Of {
        async fn get(&self, key: &str) -> Result<(), String> {
            self.0.get::<Option<String>, _>(key).await.map(drop).map_err(|error| error.to_string())
        }

        async fn batch(&self, keys: &[String]) -> Result<(), String> {
            let pipeline = self.0.pipeline();
            for key in keys {
                let queued: Result<Option<Vec<String>>, _> =
                    pipeline.blpop(key.as_str(), BLOCK.as_secs_f64()).await;
                queued.map_err(|error| error.to_string())?;
            }
            pipeline.all::<fred::types::Value>().await.map(drop).map_err(|error| error.to_string())
        }

        async fn at_once(&self, keys: &[String]) -> Result<(), String> {
            let calls = keys.iter().map(|key| {
                let (client, key) = (self.0.clone(), key.clone());
                tokio::spawn(async move {
                    client.blpop::<Option<Vec<String>>, _>(key, BLOCK.as_secs_f64()).await.map(drop)
                })
            });
            for call in calls.collect::<Vec<_>>() {
                call.await.expect("it does not panic").map_err(|error| error.to_string())?;
            }
            Ok(())
        }
    }
}

/// larder itself: a counter needs Redis, and says so when that does not answer.
mod larder_itself {
    use larder::{CacheExt as _, RedisCache};

    use super::*;

    pub struct Of(RedisCache);

    pub async fn connect(nodes: Vec<(String, u16)>) -> Arc<dyn Client> {
        let nodes = nodes.into_iter().map(|(host, port)| format!("{host}:{port}"));
        let cache = RedisCache::builder().cluster(nodes).prefix("peers").connect().await;
        Arc::new(Of(cache.expect("a cluster is there")))
    }

    #[async_trait]
    impl Client for Of {
        async fn get(&self, key: &str) -> Result<(), String> {
            self.0.counter(key).await.map(drop).map_err(|error| error.to_string())
        }

        async fn batch(&self, _: &[String]) -> Result<(), String> {
            Err("larder has no command that blocks".to_owned())
        }

        async fn at_once(&self, _: &[String]) -> Result<(), String> {
            Err("larder has no command that blocks".to_owned())
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Which {
    Stable(bool),
    Candidate(bool),
    Fred(bool),
    Larder,
}

impl Which {
    const ALL: [Self; 7] = [
        Self::Stable(false),
        Self::Stable(true),
        Self::Candidate(false),
        Self::Candidate(true),
        Self::Fred(false),
        Self::Fred(true),
        Self::Larder,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Stable(false) => "redis 1.8.1, as it comes",
            Self::Stable(true) => "redis 1.8.1, timeouts 250 ms",
            Self::Candidate(false) => "redis 2.0.0-rc.2, as it comes",
            Self::Candidate(true) => "redis 2.0.0-rc.2, timeouts 250 ms",
            Self::Fred(false) => "fred 10.1.0, as it comes",
            Self::Fred(true) => "fred 10.1.0, timeouts 250 ms",
            Self::Larder => "larder (deadline 250 ms)",
        }
    }

    async fn connect(self, cluster: &RedisCluster) -> Arc<dyn Client> {
        let nodes = cluster.servers().iter().map(|server| ("127.0.0.1".to_owned(), server.port())).collect();
        match self {
            Self::Stable(tuned) => stable::connect(cluster.urls(), tuned).await,
            Self::Candidate(tuned) => candidate::connect(cluster.urls(), tuned).await,
            Self::Fred(tuned) => fred_rs::connect(nodes, tuned).await,
            Self::Larder => larder_itself::connect(nodes).await,
        }
    }
}

/// What came of calls that are made one after the other, each as soon as the one before has ended.
#[derive(Default)]
struct Calls(Mutex<Vec<(Instant, Duration, bool)>>);

impl Calls {
    async fn make(self: Arc<Self>, client: Arc<dyn Client>, key: &'static str) {
        loop {
            let begun = Instant::now();
            let outcome = tokio::time::timeout(PATIENCE, client.get(key)).await;
            self.0.lock().expect("nothing panics").push((
                begun,
                begun.elapsed(),
                matches!(outcome, Ok(Ok(()))),
            ));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The end of the first that succeeded after this moment, from there on.
    fn first_success_after(&self, moment: Instant) -> Option<Duration> {
        let calls = self.0.lock().expect("nothing panics");
        let ends = calls.iter().filter(|(.., good)| *good).map(|(begun, took, _)| *begun + *took);
        ends.filter(|end| *end > moment).min().map(|end| end - moment)
    }

    /// Whether any ended after this moment, well or not.
    fn has_ended_after(&self, moment: Instant) -> bool {
        self.0.lock().expect("nothing panics").iter().any(|(begun, took, _)| *begun + *took > moment)
    }

    fn longest(&self) -> Duration {
        self.0.lock().expect("nothing panics").iter().map(|(_, took, _)| *took).max().unwrap_or_default()
    }
}

/// How the master of a key goes.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Its process ends: the system refuses connections to it.
    Killed,
    /// Its machine is gone: nothing answers.
    Silent,
}

struct Failover {
    /// From the replica's taking over to the first call that succeeded.
    back: Option<Duration>,
    longest: Duration,
}

const KEY: &str = "key";

async fn failover(which: Which, end: End) -> Failover {
    let cluster = start();
    let client = which.connect(&cluster).await;
    client.get(KEY).await.expect("all is well");
    let slot = cluster.slot_of(if which == Which::Larder { "peers:c:key" } else { KEY });
    let master = cluster.master_of(slot);
    let replica = cluster.replica_of(master);
    let calls = Arc::new(Calls::default());
    let task = tokio::spawn(calls.clone().make(client, KEY));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let over = tokio::task::block_in_place(|| {
        match end {
            End::Killed => cluster.server(master).kill(),
            End::Silent => cluster.server(master).pause(),
        }
        until("the replica takes over", || is_master(cluster.server(replica)).then_some(()));
        Instant::now()
    });
    let limit = over + PATIENCE;
    while calls.first_success_after(over).is_none() && Instant::now() < limit {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    task.abort();
    if let End::Silent = end {
        cluster.server(master).resume();
    }
    // A call that is still under way has no end in the list.
    let longest = if calls.has_ended_after(over) { calls.longest() } else { PATIENCE };
    let back = calls.first_success_after(over);
    Failover { back, longest }
}

fn start() -> RedisCluster {
    tokio::task::block_in_place(RedisCluster::start)
}

fn is_master(server: &RedisServer) -> bool {
    server.info("replication", "role").as_deref().map(str::trim) == Some("master")
}

/// How long a call takes to a master that does not answer, where no replica takes over.
async fn silence(which: Which) -> Duration {
    let cluster = start();
    let client = which.connect(&cluster).await;
    client.get(KEY).await.expect("all is well");
    for server in cluster.servers() {
        server.set_config("cluster-replica-no-failover", "yes");
    }
    let slot = cluster.slot_of(if which == Which::Larder { "peers:c:key" } else { KEY });
    let master = cluster.master_of(slot);
    cluster.server(master).pause();
    let begun = Instant::now();
    _ = tokio::time::timeout(PATIENCE, client.get(KEY)).await;
    let took = begun.elapsed();
    cluster.server(master).resume();
    took
}

/// How long a batch for three nodes takes, and the same as three calls.
async fn batches(which: Which) -> (Result<Duration, String>, Result<Duration, String>) {
    let cluster = start();
    let client = which.connect(&cluster).await;
    let mut keys: Vec<String> = Vec::new();
    let mut masters = Vec::new();
    for number in 0.. {
        let key = format!("list{number}");
        let master = cluster.master_of(cluster.slot_of(&key));
        if !masters.contains(&master) {
            masters.push(master);
            keys.push(key);
        }
        if masters.len() == 3 {
            break;
        }
    }
    let begun = Instant::now();
    let batch = client.batch(&keys).await.map(|()| begun.elapsed());
    let begun = Instant::now();
    let at_once = client.at_once(&keys).await.map(|()| begun.elapsed());
    (batch, at_once)
}

fn shown(duration: Option<Duration>) -> String {
    duration.map_or_else(
        || format!("> {} s", PATIENCE.as_secs()),
        |duration| format!("{} ms", duration.as_millis()),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_other_client_does_all_of_it() {
    let mut table = String::from(
        "\n| client | back after a kill | longest call | back after silence | longest call | no answer: error after | \
         batch of 3 × 150 ms | 3 calls at once |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut within_all = Vec::new();
    for which in Which::ALL {
        let killed = failover(which, End::Killed).await;
        let silent = failover(which, End::Silent).await;
        let silence = silence(which).await;
        let (batch, at_once) = batches(which).await;
        let told = |outcome: &Result<Duration, String>| match outcome {
            Ok(took) => shown(Some(*took)),
            Err(error) => error.clone(),
        };
        let row = format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            which.name(),
            shown(killed.back),
            shown(Some(killed.longest)),
            shown(silent.back),
            shown(Some(silent.longest)),
            shown((silence < PATIENCE).then_some(silence)),
            told(&batch),
            told(&at_once),
        );
        println!("{row}");
        writeln!(table, "{row}").expect("a string takes all");
        let is_back = |failover: &Failover| {
            failover.back.is_some_and(|back| back <= BACK) && failover.longest <= LONGEST
        };
        let is_side_by_side = matches!(batch, Ok(took) if took <= BATCH);
        let does_all = is_back(&killed) && is_back(&silent) && silence <= LONGEST;
        match which {
            Which::Larder => assert!(does_all, "larder itself:\n{table}"),
            _ if does_all && is_side_by_side => within_all.push(which.name()),
            _ => {}
        }
    }
    println!("{table}");
    assert!(
        within_all.is_empty(),
        "these do all that larder's own routing is there for: {within_all:?}\n{table}"
    );
}
