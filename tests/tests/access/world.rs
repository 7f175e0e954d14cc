//! A user with few rights, and everything that a cache does with Redis.

use std::{convert::Infallible, future::Future, time::Duration};

use larder::{
    CacheExt, Invalidation, RedisCache, RedisCacheBuilder, Scope, TieredCache,
    limit::{DecidedBy, Limiter, Rate},
};
use larder_servers::RedisServer;
use larder_tests::caches::{eventually, long, ms, patient, tiered};

pub(crate) const USER: &str = "app";
pub(crate) const PASSWORD: &str = "s3cret";

/// What larder sends, in commands and from scripts. Everything else is refused.
const COMMANDS: [&str; 28] = [
    // Entries.
    "get",
    // Larder goes without where this is refused.
    "mget",
    "set",
    "evalsha",
    "eval",
    "getrange",
    "pttl",
    "unlink",
    // The log.
    "xadd",
    "xread",
    "xrevrange",
    "xinfo|stream",
    "info",
    "time",
    // Leases.
    "setrange",
    "pexpire",
    "del",
    // Counters.
    "exists",
    "incrby",
    // Locks.
    "hmget",
    "hset",
    // The connections' names in lists of clients, and their numbers; larder goes without where that is refused.
    "client|setname",
    "client|id",
    // Where the database is not 0.
    "select",
    // In a Cluster.
    "cluster|slots",
    "cluster|info",
    "asking",
    // Of a Sentinel, whose users are its own.
    "sentinel|get-master-addr-by-name",
];

/// Those that only some have, or need.
const OTHERS_ONLY: [&str; 5] =
    ["select", "cluster|slots", "cluster|info", "asking", "sentinel|get-master-addr-by-name"];

/// Those of one server.
pub(crate) fn commands() -> impl Iterator<Item = &'static str> {
    COMMANDS.into_iter().filter(|command| !OTHERS_ONLY.contains(command))
}

/// Gives the user these rights, and no channel.
pub(crate) fn admit(server: &RedisServer, keys: Option<&str>, commands: &[&str]) {
    let password = format!(">{PASSWORD}");
    let mut rules: Vec<String> = commands.iter().map(|command| format!("+{command}")).collect();
    rules.extend(keys.map(|pattern| format!("~{pattern}")));
    let mut words = vec!["ACL", "SETUSER", USER, "reset", "on", &password, "resetchannels", "-@all"];
    words.extend(rules.iter().map(String::as_str));
    server.command::<()>(&words);
}

/// What was refused, by its name.
pub(crate) fn refused(server: &RedisServer) -> Vec<String> {
    let log: Vec<Vec<redis::Value>> = server.command(&["ACL", "LOG"]);
    let field = |entry: &Vec<redis::Value>| redis::from_redis_value::<String>(entry.get(7)?.clone()).ok();
    log.iter().filter_map(field).collect()
}

pub(crate) fn as_user(builder: RedisCacheBuilder) -> RedisCacheBuilder {
    patient(builder).username(USER).password(PASSWORD)
}

/// Everything that a cache does with Redis, in two processes.
pub(crate) async fn everything(a: &TieredCache, b: &TieredCache, lose_the_log: impl AsyncFnOnce()) {
    // Entries, small and large, one and many.
    a.insert("key", &1_u64, long()).await.unwrap();
    eventually(async || b.get("key").await.unwrap() == Some(1_u64)).await;
    a.insert("large", &vec![7_u64; 100_000], long()).await.unwrap();
    eventually(async || b.get::<Vec<u64>>("large").await.unwrap().is_some()).await;
    let many: Vec<_> = (0..100_u64).map(|n| (format!("many:{n}"), n)).collect();
    a.insert_many(&many, long()).await.unwrap();
    let keys: Vec<_> = many.iter().map(|(key, _)| key).collect();
    eventually(async || b.get_many::<u64>(&keys).await.unwrap().iter().all(Option::is_some)).await;

    // The log.
    for scope in [Scope::key("key"), Scope::prefix("many"), Scope::tag("tag"), Scope::all()] {
        let Invalidation::Delivered(epoch) = a.invalidate(scope).await else {
            panic!("nothing is in its way")
        };
        assert!(larder::CacheExt::wait_for(b, epoch).await);
    }
    assert_eq!(b.get::<u64>("key").await.unwrap(), None);

    // A lease that one holds, renews, and the other one waits for.
    let begun = tokio::sync::Notify::new();
    let hold = a.get_or_compute("leased", long(), async || {
        begun.notify_one();
        // Through a renewal, of which there are nine in the time for which others wait.
        tokio::time::sleep(ms(600)).await;
        Ok::<_, Infallible>(5_u64)
    });
    let wait = async {
        begun.notified().await;
        b.get_or_compute("leased", long(), async || Err::<u64, _>("it computed")).await
    };
    let (held, waited) = tokio::join!(hold, wait);
    assert_eq!((held, waited), (Ok(5), Ok(5)));

    // Counters.
    assert_eq!(a.increment("count", 5, Duration::from_secs(60)).await.unwrap(), 5);
    assert_eq!(b.counter("count").await.unwrap(), 5);

    // Locks.
    let mut held = a.try_lock("lock", Duration::from_secs(60)).await.unwrap().expect("it is free");
    assert!(b.try_lock("lock", Duration::from_secs(60)).await.unwrap().is_none());
    assert!(held.renew(Duration::from_secs(60)).await.unwrap());
    assert!(held.release().await.unwrap());

    // Rate limits.
    let limiter = |cache: &TieredCache| Limiter::new(cache.clone(), Rate::per_hour(1));
    assert!(limiter(a).check("limited").await.is_allowed());
    let decision = limiter(b).check("limited").await;
    assert_eq!((decision.is_allowed(), decision.decided_by()), (false, DecidedBy::Server));

    lose_the_log().await;
    eventually(async || {
        a.insert("after", &2_u64, long()).await.unwrap();
        b.get("after").await.unwrap() == Some(2_u64)
    })
    .await;
}

pub(crate) async fn two(builder: impl Fn(usize) -> RedisCacheBuilder) -> (TieredCache, TieredCache) {
    let connect = async |index: usize| tiered(as_user(builder(index)).lease_lifetime(ms(4_500))).await;
    (connect(0).await, connect(1).await)
}

pub(crate) fn spelled(server: &RedisServer, index: usize) -> String {
    format!("{}:{}", ["127.0.0.1", "localhost"][index], server.port())
}

pub(crate) fn connect(builder: RedisCacheBuilder) -> impl Future<Output = larder::Result<RedisCache>> {
    builder.connect_attempts(1).connect()
}
