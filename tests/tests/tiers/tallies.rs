//! Counters in shards and windows, and rankings: in memory, and shared.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use larder::{
    Cache, CacheExt, MemoryCache, RedisCache,
    counters::{Added, Counters, Expiry, Ranking},
};
use larder_servers::{Data, RedisCluster, RedisServer};
use larder_tests::caches::{Process, eventually, ms};

const HOUR: Duration = Duration::from_secs(3_600);

fn keys(server: &RedisServer) -> Vec<String> {
    let mut keys: Vec<String> = server.command(&["KEYS", "larder:[nt]:*"]);
    keys.sort();
    keys
}

/// What holds on every cache: `advance` turns its clock, if it has one that can be turned.
async fn counts(cache: impl Cache + Clone + 'static, advance: Option<&dyn Fn(Duration)>) {
    for shards in [1, 7] {
        let counters = Counters::new(cache.clone()).shards(shards);
        assert_eq!(counters.get("c").await.unwrap(), 0);
        for by in [5, -7, 40] {
            assert_eq!(counters.add("c", by).await.unwrap(), Added::Counted);
        }
        assert_eq!(counters.get("c").await.unwrap(), 38, "{shards} shards");
        assert_eq!(counters.last("c", 3).await.unwrap(), 38, "without windows there is one");
        let elsewhere = Counters::new(cache.namespace("ns")).shards(shards);
        assert_eq!(elsewhere.get("c").await.unwrap(), 0);
    }
    cache.invalidate("c").await;
    assert_eq!(Counters::new(cache.clone()).get("c").await.unwrap(), 38, "no entry");
    assert_eq!(cache.counter("c").await.unwrap(), 0, "no plain counter either");
    assert!(Counters::new(cache.clone()).add("", 1).await.unwrap_err().is_invalid_key());

    // Whatever a key looks like, it is no window and no shard of another one.
    let windowed = Counters::new(cache.clone()).per(HOUR);
    let sharded = Counters::new(cache.clone()).shards(2);
    for counters in [&windowed, &sharded] {
        counters.add("alice", 1).await.unwrap();
    }
    let now = cache.storage().shared().and_then(|shared| shared.server_time());
    let now = now.unwrap_or_else(SystemTime::now).duration_since(UNIX_EPOCH).unwrap();
    let plain = Counters::new(cache.clone());
    for hour in [0, 1] {
        let key = format!("alice@3600000:{}", now.as_secs() / 3_600 + hour);
        assert_eq!(plain.get(&key).await.unwrap(), 0);
        plain.add(&key, 5).await.unwrap();
        assert_eq!((plain.get(&key).await.unwrap(), plain.get(&format!("{key}@")).await.unwrap()), (5, 0));
        Ranking::new(cache.clone(), &*key).add("a", 1).await.unwrap();
    }
    for key in ["{0/2:alice}", "{1/2:alice}"] {
        assert_eq!(plain.get(key).await.unwrap(), 0);
        plain.add(key, 5).await.unwrap();
        assert_eq!((plain.get(key).await.unwrap(), plain.get(&format!("{{{key}")).await.unwrap()), (5, 0));
    }
    assert_eq!((windowed.get("alice").await.unwrap(), sharded.get("alice").await.unwrap()), (1, 1));
    assert_eq!(Ranking::new(cache.clone(), "alice").per(HOUR).top(9).await.unwrap().members, []);

    let full = Counters::new(cache.clone());
    full.add("full", i64::MAX).await.unwrap();
    assert!(full.add("full", 1).await.unwrap_err().is_counter_overflow());
    assert_eq!(full.get("full").await.unwrap(), i64::MAX);

    let hourly = Counters::new(cache.clone()).shards(3).per(HOUR).keep(3);
    hourly.add("c", 2).await.unwrap();
    let top = Ranking::new(cache.clone(), "top").capacity(3);
    for (member, by) in [("a", 3), ("b", 2), ("c", 5), ("b", 2)] {
        assert_eq!(top.add(member, by).await.unwrap(), Added::Counted);
    }
    let ranks = |list: &[(&str, u64)]| {
        list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>()
    };
    let found = top.top(2).await.unwrap();
    assert_eq!((found.members, found.error), (ranks(&[("c", 5), ("b", 4)]), 3), "it is full");
    top.add("d", 1).await.unwrap();
    let found = top.top(9).await.unwrap();
    assert_eq!((found.members, found.error), (ranks(&[("c", 5), ("d", 4), ("b", 4)]), 4), "d has what a had");
    assert_eq!(top.top(0).await.unwrap().members, []);
    assert_eq!(Ranking::new(cache.clone(), "none").top(9).await.unwrap().error, 0);

    let Some(advance) = advance else { return };
    let prolonged = Counters::new(cache.clone()).expiry(Expiry::AfterLast(HOUR));
    let first = Counters::new(cache.clone()).expiry(Expiry::AfterFirst(HOUR));
    let ranking = Ranking::new(cache.clone(), "hourly").per(HOUR);
    for counters in [&prolonged, &first] {
        counters.add(if std::ptr::eq(counters, &first) { "f" } else { "p" }, 1).await.unwrap();
    }
    ranking.add("a", 1).await.unwrap();
    advance(HOUR * 2 / 3);
    prolonged.add("p", 1).await.unwrap();
    first.add("f", 1).await.unwrap();
    advance(HOUR * 2 / 3);
    assert_eq!(prolonged.get("p").await.unwrap(), 2);
    assert_eq!(first.get("f").await.unwrap(), 0);
    let (now, before) = (ranking.top(9).await.unwrap(), ranking.top_before(9).await.unwrap());
    // An hour and a third: the last window, or the one before that.
    assert!(now.members.is_empty() && before.members.len() <= 1);
    assert_eq!(hourly.last("c", 3).await.unwrap(), 2);
    assert_eq!(hourly.get("c").await.unwrap(), 0);
    advance(HOUR * 3);
    assert_eq!(hourly.last("c", 3).await.unwrap(), 0);
    assert_eq!(prolonged.get("p").await.unwrap(), 0);
}

#[tokio::test]
async fn in_memory() {
    let cache = MemoryCache::new(10_000);
    let clock = cache.clone();
    counts(cache, Some(&|by| clock.core().advance(by))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis() {
    let server = RedisServer::start();
    counts(Process::A.tiered(&server).await, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cluster_each_shard_is_in_a_slot_of_its_own() {
    let cluster = RedisCluster::start();
    let nodes = cluster.servers().iter().map(|server| server.address().to_string());
    let cache = larder_tests::caches::patient(RedisCache::builder().cluster(nodes)).connect().await.unwrap();
    counts(cache.clone(), None).await;
    // A key's own braces do not bring its shards together.
    let hot = Counters::new(cache).shards(32);
    for _ in 0..300 {
        hot.add("{hot}", 1).await.unwrap();
    }
    assert_eq!(hot.get("{hot}").await.unwrap(), 300);
    let here = |node| keys(cluster.server(node)).iter().filter(|key| key.contains("hot")).count();
    let spread: Vec<_> = (0..3).map(here).collect();
    assert!(spread.iter().all(|count| *count > 0) && spread.iter().sum::<usize>() > 20, "{spread:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_count_together_and_lose_nothing() {
    let server = RedisServer::start();
    let (a, b) = (Process::A.tiered(&server).await, Process::B.tiered(&server).await);
    let tasks: Vec<_> = [&a, &b, &a, &b]
        .map(|cache| (Counters::new(cache.clone()).shards(8), Ranking::new(cache.clone(), "r")))
        .map(|(counters, ranking)| {
            tokio::spawn(async move {
                for n in 0..200 {
                    assert_eq!(counters.add("c", 1).await.unwrap(), Added::Counted);
                    ranking.add(if n % 4 == 0 { "rare" } else { "often" }, 1).await.unwrap();
                }
            })
        })
        .into_iter()
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(Counters::new(b.clone()).shards(8).get("c").await.unwrap(), 800);
    let top = Ranking::new(b, "r").top(2).await.unwrap().members;
    assert_eq!(top, [("often".to_owned(), 600), ("rare".to_owned(), 200)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_they_end_in_redis() {
    let server = RedisServer::start();
    let cache = Process::A.tiered(&server).await;
    let lifetime = |key: &str| server.command::<i64>(&["PTTL", key]);
    Counters::new(cache.clone()).add("never", 1).await.unwrap();
    assert_eq!(lifetime("larder:n:never"), -1);
    for (expiry, key, prolonged) in
        [(Expiry::AfterFirst as fn(_) -> _, "first", false), (Expiry::AfterLast, "last", true)]
    {
        Counters::new(cache.clone()).expiry(expiry(HOUR)).add(key, 1).await.unwrap();
        Counters::new(cache.clone()).expiry(expiry(HOUR * 2)).add(key, 1).await.unwrap();
        let hour = i64::try_from(HOUR.as_millis()).unwrap();
        assert_eq!(lifetime(&format!("larder:n:{key}")) > hour, prolonged, "{key}");
    }
    server.flush_all();

    let minute = Duration::from_secs(60);
    Counters::new(cache.clone()).per(minute).keep(5).add("c", 1).await.unwrap();
    Ranking::new(cache, "r").per(minute).add("a", 1).await.unwrap();
    let number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60;
    let keys = keys(&server);
    let is_now = |key: &str, what: &str| (number - 1..=number).any(|n| key == format!("{what}@60000:{n}"));
    assert!(is_now(&keys[0], "larder:n:c") && is_now(&keys[1], "larder:t:r"), "{keys:?}");
    assert!((300_000..=360_000).contains(&lifetime(&keys[0])), "{}", lifetime(&keys[0]));
    assert!((120_000..=180_000).contains(&lifetime(&keys[1])), "{}", lifetime(&keys[1]));
}

/// An increment that is lost is counted as such; none is counted twice, and no call hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_while_redis_is_away_is_counted() {
    let server = RedisServer::builder().append_only().start();
    let redis = RedisCache::builder().url(server.url()).deadline(ms(200)).connect().await.unwrap();
    let (counters, ranking) = (Counters::new(redis.clone()).shards(4), Ranking::new(redis.clone(), "r"));
    let (sent, confirmed) = (AtomicI64::new(0), AtomicI64::new(0));
    let add = async || {
        let began = Instant::now();
        let added = counters.add("c", 1).await.unwrap();
        assert!(began.elapsed() < ms(200 + 150), "{:?}", began.elapsed());
        sent.fetch_add(1, Relaxed);
        confirmed.fetch_add(i64::from(added == Added::Counted), Relaxed);
        added
    };
    assert_eq!(add().await, Added::Counted);
    server.pause();
    for _ in 0..10 {
        assert_eq!(add().await, Added::Lost);
    }
    assert!(counters.get("c").await.unwrap_err().is_unavailable());
    server.resume();
    eventually(async || add().await == Added::Counted).await;
    server.kill();
    eventually(async || add().await == Added::Lost).await;
    assert_eq!(ranking.add("a", 1).await.unwrap(), Added::Lost);
    assert!(ranking.top(1).await.unwrap_err().is_unavailable());
    server.restart(Data::Kept);
    eventually(async || add().await == Added::Counted).await;
    let (sent, confirmed) = (sent.into_inner(), confirmed.into_inner());
    let lost = i64::try_from(redis.stats().counts_lost).unwrap();
    assert_eq!(lost, sent - confirmed + 1);
    let sum = counters.get("c").await.unwrap();
    assert!((confirmed..=sent).contains(&sum), "{confirmed} <= {sum} <= {sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_seals_ranks_nothing_in_the_open() {
    let server = RedisServer::start();
    let key = |digit: &str| larder::SealKey::from_hex(&digit.repeat(64)).unwrap();
    let builder = Process::A.builder(&server).seal(key("1")).hash_keys(key("2"));
    let cache = builder.connect().await.unwrap();
    Counters::new(cache.clone()).shards(3).add("secret", 1).await.unwrap();
    assert_eq!(Counters::new(cache.clone()).shards(3).get("secret").await.unwrap(), 1);
    let refused = Ranking::new(cache, "words").add("secret", 1).await.unwrap_err();
    assert!(refused.is_invalid_configuration(), "{refused}");
    assert!(!keys(&server).is_empty() && !keys(&server).iter().any(|key| key.contains("secret")));
}

/// Of a skewed stream, what is at the top is there, and no count is off by more than is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ranking_that_is_too_small_says_how_far_it_is_off() {
    let server = RedisServer::start();
    let cache = Process::A.bare(&server).await;
    let ranking = Ranking::new(cache, "words").capacity(20);
    let mut exact = HashMap::<String, u64>::new();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..3_000 {
        let word = (1.0 / (random.f64() + 0.005)) as u64;
        let word = if random.bool() { word.to_string() } else { random.u64(..500).to_string() };
        ranking.add(&word, 1).await.unwrap();
        *exact.entry(word).or_default() += 1;
    }
    let top = ranking.top(20).await.unwrap();
    assert!(top.error > 0 && top.error <= 3_000 / 20, "{}", top.error);
    for (word, count) in &top.members {
        assert!((exact[word]..=exact[word] + top.error).contains(count), "{word}: {count}, {}", exact[word]);
    }
    let most = exact.iter().max_by_key(|(_, count)| **count).unwrap().0;
    assert_eq!(*most, top.members[0].0);
    for (word, count) in exact {
        assert!(count <= top.error || top.members.iter().any(|(kept, _)| *kept == word), "{word}: {count}");
    }
}
