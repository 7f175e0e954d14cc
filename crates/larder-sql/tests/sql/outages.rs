//! Databases that are gone, locked or read-only are normal weather.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use larder::{CacheExt, DisconnectPolicy, Invalidation, MemoryCache, Operation, Policy};
use larder_servers::{Fault, PostgresServer, Proxy};
use larder_sql::TieredSqlCache;
use sqlx::{Connection, Executor, SqliteConnection};

use crate::places::{Place, eventually, gone, policy};

/// Longer than any call may take that waits for two deadlines of 250 ms, on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

/// Calls neither fail nor hang while the database is out of reach.
async fn goes_on(cache: &TieredSqlCache) {
    for round in 0..10_u64 {
        let begun = Instant::now();
        let key = format!("away:{round}");
        let value = cache.get_or_compute(&key, policy(), async || Ok::<_, String>(round)).await;
        assert_eq!(value, Ok(round));
        assert_eq!(cache.get::<u64>(&key).await.unwrap(), Some(round), "it is in memory");
        cache.invalidate(&key).await;
        assert_eq!(cache.get::<u64>(&key).await.unwrap(), None, "at once");
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    }
}

/// What was never asked for is computed, under a lease.
async fn computes(cache: &TieredSqlCache) {
    let key = format!("new:{}", fastrand::u64(..));
    assert_eq!(cache.get_or_compute(&key, policy(), async || Ok::<_, String>(1_u64)).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_killed_and_comes_back() {
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    let connect = async || {
        let sql = place.builder().deadline(Duration::from_millis(250)).connect().await.unwrap();
        TieredSqlCache::new(&MemoryCache::new(1_000), sql)
    };
    let (a, b) = (connect().await, connect().await);
    b.insert("k", &1_u64, policy()).await.unwrap();
    b.insert("kept", &1_u64, policy()).await.unwrap();
    server.kill();
    goes_on(&a).await;
    assert_eq!(a.invalidate("k").await, Invalidation::Queued);
    assert!(a.increment("n", 1, None).await.is_err_and(|error| error.is_unavailable()));
    assert_eq!(b.get::<u64>("k").await.unwrap(), Some(1), "it cannot know, and serves");
    server.restart();
    gone(&b, "k").await;
    assert_eq!(b.get::<u64>("kept").await.unwrap(), Some(1), "an outage drops nothing");
    eventually("values are shared again", async || {
        a.insert("after", &2_u64, policy()).await.unwrap();
        b.get::<u64>("after").await.unwrap() == Some(2)
    })
    .await;
    assert_eq!((a.link().restarts, b.link().restarts), (0, 0));
}

/// A cache that is disconnected serves nothing that others may have changed, if its policy says so.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_served_while_disconnected() {
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    let fresh = place.builder().on_disconnect(DisconnectPolicy::Bypass(Duration::from_millis(500)));
    let cache = TieredSqlCache::new(&MemoryCache::new(1_000), fresh.connect().await.unwrap());
    cache.insert("k", &1_u64, policy()).await.unwrap();
    // On a busy machine it may be disconnected for a moment.
    eventually("it is served", async || cache.get::<u64>("k").await.unwrap() == Some(1)).await;
    server.kill();
    gone(&cache, "k").await;
    server.restart();
    eventually("it is served again", async || cache.get::<u64>("k").await.unwrap() == Some(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_locked_by_others() {
    let place = Place::sqlite();
    let sql = place.builder().deadline(Duration::from_millis(250)).connect().await.unwrap();
    let cache = TieredSqlCache::new(&MemoryCache::new(1_000), sql);
    let other = place.tiered().await;
    other.insert("k", &1_u64, policy()).await.unwrap();
    let mut connection = SqliteConnection::connect(&place.url).await.unwrap();
    connection.execute("BEGIN EXCLUSIVE").await.unwrap();
    goes_on(&cache).await;
    assert_eq!(cache.invalidate("k").await, Invalidation::Queued);
    connection.execute("COMMIT").await.unwrap();
    gone(&other, "k").await;
}

/// What cannot be written is not shared, and everything else goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_takes_no_writes() {
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    // What is refused is answered: not one call waits for so long, the first invalidation included.
    let sql = place.builder().deadline(LIMIT * 3).connect().await.unwrap();
    let (a, b) = (TieredSqlCache::new(&MemoryCache::new(1_000), sql), place.tiered().await);
    b.insert("k", &1_u64, policy()).await.unwrap();
    let mut admin = sqlx::PgConnection::connect(&place.url).await.unwrap();
    admin.execute("ALTER DATABASE larder SET default_transaction_read_only = on").await.unwrap();
    let sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'larder'";
    admin.execute(sessions).await.unwrap();
    larder_warnings::listen();
    let begun = Instant::now();
    goes_on(&a).await;
    a.invalidate("k").await;
    let refused = |operation| {
        let refusals = a.link().refusals;
        let refusal = refusals.into_iter().find(|refusal| refusal.operation == operation);
        refusal.is_some_and(|refusal| {
            refusal.reply.contains("read-only") && refusal.mend.contains("takes writes")
        })
    };
    eventually("people are told", async || {
        a.insert("refused", &1_u64, policy()).await.unwrap();
        computes(&a).await;
        [Operation::Append, Operation::Lease].into_iter().all(refused)
    })
    .await;
    let before = a.stats();
    goes_on(&a).await;
    let after = a.stats();
    assert!(after.shared_refused > before.shared_refused, "a lease is a row");
    assert_eq!(after.shared_unreachable, before.shared_unreachable, "it is within reach");
    let error = a.increment("n", 1, None).await.unwrap_err();
    assert!(
        error.is_unavailable() && error.to_string().contains("connect to a database that takes writes"),
        "{error}"
    );
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("read-only") && !error.to_string().contains(&source), "{error}: {source}");
    let error = a.lock("l", Duration::from_secs(1)).await.unwrap_err();
    assert!(error.to_string().contains("the lock \"l\"; connect to"), "{error}");
    let count = |operation| {
        a.link()
            .refusals
            .iter()
            .find(|refusal| refusal.operation == operation)
            .map_or(0, |refusal| refusal.count)
    };
    eventually("it is asked again and again", async || {
        computes(&a).await;
        count(Operation::Append) > 3 && count(Operation::Lease) > 3
    })
    .await;
    for operation in ["appending to the invalidation log", "leases"] {
        let warnings = larder_warnings::heard(&["the database refuses", operation]).len();
        assert!(
            (1..=1 + begun.elapsed().as_secs() as usize / 60).contains(&warnings),
            "{operation}: {warnings}"
        );
    }
    admin.execute("SET default_transaction_read_only = off").await.unwrap();
    admin.execute("ALTER DATABASE larder RESET default_transaction_read_only").await.unwrap();
    admin.execute(sessions).await.unwrap();
    gone(&b, "k").await;
    eventually("that it is mended, too", async || {
        a.insert("accepted", &1_u64, policy()).await.unwrap();
        computes(&a).await;
        let _ = a.increment("n", 1, None).await;
        a.lock("l", Duration::from_secs(1)).await.is_ok() && a.link().refusals.is_empty()
    })
    .await;
}

/// What is large goes in pieces, each of which has its time.
#[tokio::test(flavor = "multi_thread")]
async fn many_large_values_on_a_slow_link() {
    const COUNT: usize = 256;
    /// All of them take two seconds.
    const BYTES_A_SECOND: u64 = 8 << 20;
    let Some(server) = PostgresServer::start() else { return };
    let (place, proxy) = (Place::on(&server), Proxy::start(server.address()));
    let builder = place.builder().url(server.url_at(proxy.address()));
    let cache = builder.deadline(Duration::from_millis(1_500)).connect().await.unwrap();
    let values: Vec<(String, String)> = (0..COUNT)
        .map(|number| {
            (
                format!("large:{number}"),
                std::iter::repeat_with(fastrand::alphanumeric).take(64 << 10).collect(),
            )
        })
        .collect();
    let keys: Vec<_> = values.iter().map(|(key, _)| key).collect();
    proxy.set_both(Fault::Throttle(BYTES_A_SECOND));
    eventually("all are stored", async || {
        cache.insert_many(&values, policy()).await.unwrap();
        place.count("SELECT count(*) FROM {}_entries").await == COUNT as i64
    })
    .await;
    eventually("all are read", async || {
        let found = cache.get_many::<String>(&keys).await.unwrap();
        found.iter().zip(&values).all(|(found, (_, value))| found.as_ref() == Some(value))
    })
    .await;
    assert!(cache.link().servers[0].available);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_starts_while_its_database_is_down() {
    let Some(server) = PostgresServer::start() else { return };
    let place = Place::on(&server);
    server.kill();
    let refused = place.builder().connect_timeout(Duration::from_millis(300)).connect().await;
    let text = refused.unwrap_err().to_string();
    assert!(!text.is_empty());
    let lazy = place.builder().deadline(Duration::from_millis(250)).connect_lazily().unwrap();
    let cache = TieredSqlCache::new(&MemoryCache::new(1_000), lazy);
    goes_on(&cache).await;
    server.restart();
    eventually("it connects", async || cache.link().servers[0].connected).await;
    let other = place.plain().await;
    eventually("values are shared", async || {
        cache.insert("k", &1_u64, Policy::ttl(Duration::from_secs(60))).await.unwrap();
        other.get::<u64>("k").await.unwrap() == Some(1)
    })
    .await;
}

/// A cache that is dropped gives its connections back.
#[tokio::test(flavor = "multi_thread")]
async fn no_connection_outlives_its_cache() {
    let Some(place) = Place::all().into_iter().find(|place| !place.is_sqlite()) else { return };
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'larder {}'";
    for round in 0..3_u64 {
        let cache = place.tiered().await;
        cache.insert("k", &round, policy()).await.unwrap();
        cache.invalidate("k").await;
        assert!(place.count(connections).await > 0);
    }
    eventually("they end", async || place.count(connections).await == 0).await;
}

/// In a process of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process of its own, which the test below starts"]
async fn with_a_subscriber_that_panics() {
    larder_warnings::panic_at_events();
    let place = Place::sqlite();
    let sql = place.builder().deadline(Duration::from_millis(250)).connect().await.unwrap();
    let cache = TieredSqlCache::new(&MemoryCache::new(1_000), sql);
    let mut connection = SqliteConnection::connect(&place.url).await.unwrap();
    connection.execute("BEGIN EXCLUSIVE").await.unwrap();
    goes_on(&cache).await;
    computes(&cache).await;
    connection.execute("COMMIT").await.unwrap();
    eventually("it counts again", async || cache.increment("n", 1, None).await.is_ok()).await;
    assert!(larder_warnings::panics() > 0, "it was told of that");
    println!("survived");
}

/// Nor is a call, or what looks whether it is back, ended by what is said of that.
#[tokio::test]
async fn a_subscriber_that_panics_keeps_no_database_away() {
    let test = ["--exact", "outages::with_a_subscriber_that_panics", "--ignored", "--nocapture"];
    let output = Command::new(std::env::current_exe().unwrap()).args(test).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("survived"), "{told}");
}
