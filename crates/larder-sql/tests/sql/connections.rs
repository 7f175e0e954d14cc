//! Connections that are slow, or lead nowhere any longer.

use std::{process::Command, time::Duration};

use larder::{CacheExt, Invalidation};
use larder_servers::{Direction, Fault, PostgresServer, Proxy};
use larder_sql::SqlCache;
use sqlx::{Connection, Executor, PgConnection, Row};

use crate::places::{Place, eventually, policy};

/// Longer than a statement here takes, and shorter than a test.
const DEADLINE: Duration = Duration::from_millis(250);

async fn is_shared(a: &SqlCache, b: &SqlCache) -> bool {
    a.insert("k", &7_u64, policy()).await.unwrap();
    b.get::<u64>("k").await.unwrap() == Some(7)
}

/// Backends that are stopped, and go on when the test ends.
struct Stopped(Vec<i32>);

impl Stopped {
    fn stop(processes: Vec<i32>) -> Self {
        let stopped = Self(processes);
        stopped.signal("-STOP");
        stopped
    }

    fn signal(&self, signal: &str) {
        let processes = self.0.iter().map(i32::to_string);
        assert!(Command::new("kill").arg(signal).args(processes).status().unwrap().success());
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

/// As when the other end of each connection has vanished, and nothing says so.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_half_open_are_replaced() {
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    let a = place.builder().deadline(DEADLINE).connect().await.unwrap();
    // All connections that it may have.
    let puts = (0..3).map(|key| {
        let a = a.clone();
        tokio::spawn(async move { a.insert(&format!("first:{key}"), &1_u64, policy()).await })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap().unwrap();
    }
    let mut admin = PgConnection::connect(&place.url).await.unwrap();
    let backends = format!(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'larder {}' ORDER BY backend_start",
        place.prefix
    );
    let backends = admin.fetch_all(&*backends).await.unwrap().iter().map(|row| row.get(0)).collect();
    let _stopped = Stopped::stop(backends);
    let b = place.plain().await;
    eventually("entries are shared on new connections", async || is_shared(&a, &b).await).await;
    let counts = async || a.increment("n", 1, None).await.is_ok();
    eventually("and counted", counts).await;
}

/// A connection takes several round trips, and more time than callers have.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_far_away() {
    let Some(server) = PostgresServer::start() else { return };
    let (place, proxy) = (Place::on(&server), Proxy::start(server.address()));
    let near = place.plain().await;
    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(130)));
    let url = server.url_at(proxy.address());
    let far = place.builder().url(url).deadline(DEADLINE).connect().await.unwrap();
    eventually("a value is shared", async || is_shared(&far, &near).await).await;
}

/// Callers wait for connections: those whose time is over before they have one say nothing of the database.
#[tokio::test(flavor = "multi_thread")]
async fn more_reads_than_a_server_answers_in_time_are_no_failure_of_it() {
    let Some(server) = PostgresServer::start() else { return };
    let (place, proxy) = (Place::on(&server), Proxy::start(server.address()));
    let near = place.plain().await;
    let builder = place.builder().url(server.url_at(proxy.address())).connections(1);
    let cache = builder.deadline(Duration::from_secs(2)).connect().await.unwrap();
    eventually("a value is shared", async || is_shared(&near, &cache).await).await;
    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(100)));
    let reads: Vec<_> = (0..60)
        .map(|key| {
            let cache = cache.clone();
            tokio::spawn(async move { _ = cache.get::<u64>(&format!("none:{key}")).await.unwrap() })
        })
        .collect();
    for read in reads {
        read.await.unwrap();
    }
    let late = cache.stats().shared_timeouts;
    assert!((1..60).contains(&late), "{late}: some had their answer in time, and some had not");
    assert!(cache.link().servers[0].available);
}

/// What a process holds of the log while it is not looked after would hold up all others.
#[tokio::test(flavor = "multi_thread")]
async fn no_transaction_waits_for_its_client() {
    let Some(server) = PostgresServer::start() else { return };
    let (place, proxy) = (Place::on(&server), Proxy::start(server.address()));
    proxy.set(Direction::ToServer, Fault::Delay(Duration::from_millis(30)));
    let url = server.url_at(proxy.address());
    let connecting = tokio::spawn(place.builder().url(url).connect());
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    let mut admin = PgConnection::connect(&place.url).await.unwrap();
    while !connecting.is_finished() {
        let waiting: i64 = admin.fetch_one(waiting).await.unwrap().get(0);
        assert_eq!(waiting, 0);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let cache = connecting.await.unwrap().unwrap();
    assert!(matches!(cache.invalidate("k").await, Invalidation::Delivered(_)));
}

/// The caller whose call was one failure too many is gone, with all that its runtime did, before the server is back.
#[test]
fn a_database_is_found_again_whatever_became_of_its_callers() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    let (first, second) = (runtime(), runtime());
    let (a, b) = first.block_on(async {
        (place.builder().deadline(DEADLINE).connect().await.unwrap(), place.plain().await)
    });
    server.kill();
    second.block_on(eventually("the server is missed", async || {
        _ = a.increment("n", 1, None).await;
        !a.link().servers[0].available
    }));
    drop(second);
    server.restart();
    first.block_on(eventually("it is found again", async || is_shared(&a, &b).await));
}

/// The statements of a cache wait for each other, which more isolation would make failures.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_isolates_by_default() {
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    place.execute("ALTER DATABASE larder SET default_transaction_isolation = 'serializable'").await;
    let reader = place.tiered().await;
    let mut tasks = Vec::new();
    for writer in 0..4 {
        let cache = place.plain().await;
        tasks.push(tokio::spawn(async move {
            for round in 0..30 {
                let invalidated = cache.invalidate(&*format!("w:{writer}:{round}")).await;
                assert!(matches!(invalidated, Invalidation::Delivered(_)), "{invalidated:?}");
                cache.increment("n", 1, None).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(reader.counter("n").await.unwrap(), 120);
}

/// Many entries at once take longer than one call may.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_is_stored_and_read_in_pieces() {
    const MANY: usize = 20_000;
    let place = Place::sqlite();
    // Less than all of it takes, and more than a piece.
    let connect = async || place.builder().deadline(Duration::from_millis(500)).connect().await.unwrap();
    let (a, b) = (connect().await, connect().await);
    let mut attempt = 0;
    eventually("a part is shared of what is stored once", async || {
        attempt += 1;
        let keys: Vec<String> = (0..MANY).map(|key| format!("k:{attempt}:{key}")).collect();
        let entries: Vec<(&str, u64)> = keys.iter().map(|key| (&**key, 7)).collect();
        a.insert_many(&entries, policy()).await.unwrap();
        b.get_many::<u64>(&keys).await.unwrap().iter().any(Option::is_some)
    })
    .await;
}
