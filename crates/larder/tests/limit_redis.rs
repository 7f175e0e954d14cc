//! Rate limits that processes share through Redis.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use larder::{
    Cache, CacheExt, MemoryCache, Operation, RedisCache, TieredCache,
    limit::{DecidedBy, Decision, FailureMode, Limiter, Rate},
};
use larder_servers::{Data, Proxy, RedisCluster, RedisServer};

use self::support::{
    in_time,
    processes::{both, eventually},
    secs,
};

/// How often the server ran a script, by hash or not.
fn scripts(server: &RedisServer) -> u64 {
    ["evalsha", "eval"].into_iter().map(|command| calls(server, command)).sum()
}

fn calls(server: &RedisServer, command: &str) -> u64 {
    let text = server.info("commandstats", &format!("cmdstat_{command}"));
    let calls =
        text.as_deref().and_then(|text| text.split(',').find_map(|field| field.strip_prefix("calls=")));
    calls.map_or(0, |calls| calls.parse().expect("a number"))
}

async fn lone(url: String, deadline: Duration) -> TieredCache {
    let redis = RedisCache::builder().url(url).deadline(deadline).connect().await.expect("the server runs");
    TieredCache::new(MemoryCache::new(100), redis)
}

/// How many of these checks are admitted.
async fn admitted(limiter: &Limiter, key: &str, times: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..times {
        admitted += usize::from(limiter.check(key).await.is_allowed());
    }
    admitted
}

/// A thousand callers in two processes for two seconds: never more than the rate, and no less than 99 % of it. A flood costs
/// next to no round trips.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_of_callers_get_the_rate_and_no_more() {
    const BURST: usize = 100;
    let server = RedisServer::start();
    let (a, b) = both(&server).await;
    let rate = Rate::per_second(200).burst(BURST as u32);
    let limiters = [Limiter::new(a.clone(), rate), Limiter::new(b.clone(), rate)];
    // Here the server learns the script.
    assert!(limiters[0].check("first").await.is_allowed() && limiters[1].check("first").await.is_allowed());
    let before = (scripts(&server), a.stats(), b.stats());
    let allowed = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let begun = Instant::now();
    let callers: Vec<_> = (0..1_000)
        .map(|caller| {
            let (limiter, allowed) = (limiters[caller % 2].clone(), allowed[caller % 2].clone());
            tokio::spawn(async move {
                while begun.elapsed() < secs(2) {
                    allowed.fetch_add(usize::from(limiter.check("key").await.is_allowed()), Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no caller panics");
    }
    let took = begun.elapsed();
    let allowed = allowed.map(|allowed| allowed.load(Relaxed));
    let sum: usize = allowed.iter().sum();
    let most = BURST + 1 + took.as_millis() as usize * 200 / 1_000;
    assert!(sum <= most, "{allowed:?} in {took:?}");
    assert!(sum >= 400 * 99 / 100, "{allowed:?} in {took:?}");
    assert!(allowed.iter().all(|allowed| *allowed > sum / 20), "{allowed:?}: each process has a share");

    let (stats, others) = (a.stats().since(&before.1), b.stats().since(&before.2));
    let decisions = stats.limit_allowed + stats.limit_refused + others.limit_allowed + others.limit_refused;
    let asked = scripts(&server) - before.0;
    assert_eq!(
        stats.limit_refused_here + others.limit_refused_here + asked,
        decisions,
        "one call for each decision"
    );
    // The first of each caller and what was admitted, and then twice the rate in each process.
    let most = 1_000 + sum as u64 + 2 * 2 * (BURST as u64 + took.as_millis() as u64 * 200 / 1_000);
    assert!(asked <= most, "{asked} calls for {decisions} decisions");
    assert_eq!(stats.limit_failures, 0);
}

/// What Redis has said is kept to, and no longer than Redis would.
#[tokio::test]
async fn a_refusal_is_remembered_until_it_ends() {
    let server = RedisServer::start();
    let (a, b) = both(&server).await;
    // What no test waits for.
    let rate = Rate::per_hour(4).burst(2);
    let (a_limits, b_limits) = (Limiter::new(a.clone(), rate), Limiter::new(b.clone(), rate));
    let decision = a_limits.check("key").await;
    assert_eq!((decision.is_allowed(), decision.remaining()), (true, 1));
    assert_eq!(decision.decided_by(), DecidedBy::Server);
    assert!(b_limits.check("key").await.is_allowed(), "the other one takes the second unit");
    assert!(!b_limits.check("key").await.is_allowed());

    let before = scripts(&server);
    let by_server = a_limits.check("key").await;
    assert_eq!((by_server.is_allowed(), by_server.decided_by()), (false, DecidedBy::Server));
    for _ in 0..10_000 {
        let decision = a_limits.check("key").await;
        assert_eq!((decision.is_allowed(), decision.decided_by()), (false, DecidedBy::Remembered));
        assert!(decision.retry_after() <= by_server.retry_after());
        assert_eq!(decision.remaining(), 0);
        assert!(decision.reset() <= by_server.reset());
    }
    assert_eq!(scripts(&server) - before, 1);
    assert!(a_limits.check("other").await.is_allowed());

    // Here the time is over; Redis, whose clock was not turned, says no once more.
    a.core().advance(by_server.retry_after().expect("it was refused"));
    assert_eq!(a_limits.check("key").await.decided_by(), DecidedBy::Server);
    assert_eq!(a.stats().limit_refused_here, 10_000);

    let name = "larder:r:4/3600000/2:key";
    let ttl: u64 = server.command(&["PTTL", name]);
    assert!((1_799_000..=1_800_000).contains(&ttl), "{ttl} ms, and then nothing is left of it");
}

#[tokio::test]
async fn time_gives_back_what_was_taken() {
    let server = RedisServer::start();
    let (a, b) = both(&server).await;
    let rate = Rate::per_second(20).burst(3);
    let (a_limits, b_limits) = (Limiter::new(a, rate), Limiter::new(b, rate));
    let begun = Instant::now();
    let mut admitted = 0;
    in_time(async {
        while admitted < 13 {
            admitted += usize::from(a_limits.check("key").await.is_allowed());
            admitted += usize::from(b_limits.check("key").await.is_allowed());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_millis(495), "ten more than a burst in {:?}", begun.elapsed());
}

/// A TAT that no decision left: a clock that was set back, or another program's.
#[tokio::test]
async fn what_others_write_is_a_key_that_is_used_up_at_worst() {
    let server = RedisServer::start();
    let (cache, _) = both(&server).await;
    let limiter = Limiter::new(cache, Rate::per_second(100).burst(50));
    for text in ["99999999999999999", "1e300", "nan", "-1", "text", ""] {
        let name = format!("larder:r:100/1000/50:{text}");
        server.command::<()>(&["SET", &name, text]);
        let decision = limiter.check(text).await;
        assert_eq!(decision.decided_by(), DecidedBy::Server, "{text}");
        assert!(decision.reset() <= Duration::from_millis(500), "{text}: {decision:?}");
        eventually(async || limiter.check(text).await.is_allowed()).await;
    }
}

/// Without its data the server knows of no use: as much as a burst more. No process has to be restarted.
#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_goes_on() {
    let server = RedisServer::builder().append_only().start();
    let (cache, _) = both(&server).await;
    let limiter = Limiter::new(cache.clone(), Rate::per_hour(5)).failure_mode(FailureMode::Closed);
    assert_eq!(admitted(&limiter, "key", 9).await, 5);
    server.restart(Data::Kept);
    // The script is unknown there, and the connection gone.
    eventually(async || limiter.check("other").await.is_allowed()).await;
    cache.core().advance(secs(3_600));
    assert_eq!(admitted(&limiter, "key", 9).await, 0, "the server has kept what was used");
    server.restart(Data::Lost);
    eventually(async || limiter.check("third").await.is_allowed()).await;
    cache.core().advance(secs(3_600));
    assert_eq!(admitted(&limiter, "key", 9).await, 5);
}

/// Gone, half open, and without scripts: as it is told, at once after the first deadlines, and with one warning.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_answered_for_as_told() {
    larder_warnings::listen();
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let cache = lone(proxy.url(), Duration::from_millis(200)).await;
    let rate = Rate::per_hour(3);
    let limiter = |mode| Limiter::new(cache.clone(), rate).failure_mode(mode);
    let [local, open, closed] = [FailureMode::Local, FailureMode::Open, FailureMode::Closed].map(limiter);
    assert_eq!(admitted(&closed, "used up", 4).await, 3);
    proxy.blackhole();

    assert_eq!(admitted(&open, "open", 10).await, 10);
    let begun = Instant::now();
    for _ in 0..1_000 {
        let decision = open.check("open").await;
        assert_eq!((decision.is_allowed(), decision.decided_by()), (true, DecidedBy::Failure));
    }
    assert!(begun.elapsed() < secs(5), "the breaker is open: {:?}", begun.elapsed());
    let decision = closed.check("closed").await;
    assert_eq!((decision.is_allowed(), decision.retry_after()), (false, Some(secs(1))));
    let limited = decision.admitted().expect_err("it is refused");
    assert!(limited.is_unavailable() && limited.to_string().contains("cannot be reached"), "{limited}");
    assert_eq!(admitted(&local, "local", 9).await, 3, "each process for itself");
    assert_eq!(local.check("local").await.decided_by(), DecidedBy::Process);
    assert_eq!(
        open.check("used up").await.decided_by(),
        DecidedBy::Remembered,
        "what Redis has said still holds"
    );
    assert_eq!(cache.stats().limit_failures, 1_021);
    assert_eq!(larder_warnings::heard(&["rate limits cannot be asked", "failure=Open"]).len(), 1);

    proxy.heal();
    eventually(async || closed.check("back").await.decided_by() == DecidedBy::Server).await;
}

/// A user without the right to run scripts: as told, and the missing right is told of.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_scripts_is_answered_for_as_told() {
    let server = RedisServer::start();
    let (cache, _) = both(&server).await;
    let limiter = Limiter::new(cache.clone(), Rate::per_hour(3)).failure_mode(FailureMode::Closed);
    assert!(limiter.check("key").await.is_allowed());
    server.command::<()>(&["ACL", "SETUSER", "default", "-evalsha", "-eval"]);
    let decision = limiter.check("key").await;
    assert_eq!((decision.is_allowed(), decision.decided_by()), (false, DecidedBy::Failure));
    let refusals = cache.link().refusals;
    assert!(refusals.iter().any(|refusal| refusal.operation == Operation::Limit), "{refusals:?}");
    let open = Limiter::new(cache.clone(), Rate::per_hour(3)).failure_mode(FailureMode::Open);
    assert!(open.check("key").await.is_allowed());

    server.command::<()>(&["ACL", "SETUSER", "default", "+evalsha", "+eval"]);
    // It is asked again each ten seconds.
    eventually(async || limiter.check("key").await.decided_by() == DecidedBy::Server).await;
    assert_eq!(cache.link().refusals, []);
}

/// A call that is dropped while it waits takes no caller's place, and hangs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_leaves_nothing_behind() {
    let server = RedisServer::start();
    let (cache, _) = both(&server).await;
    let limiter = Limiter::new(cache, Rate::per_hour(1_000));
    server.pause();
    for _ in 0..100 {
        let dropped = tokio::time::timeout(Duration::from_millis(1), limiter.check("key")).await;
        assert!(dropped.is_err(), "{dropped:?}");
    }
    server.resume();
    let decision = in_time(limiter.check("key")).await;
    assert!(decision.is_allowed());
    // Those that were sent count.
    assert!(decision.remaining() >= 1_000 - 101, "{decision:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_holds_each_key_where_it_lies() {
    let cluster = RedisCluster::start();
    let hosts: Vec<_> = cluster.urls().iter().map(|url| url.replace("redis://", "")).collect();
    let connect = || lone(format!("redis+cluster://{}", hosts.join(",")), secs(5));
    let (a, b) = (connect().await, connect().await);
    let rate = Rate::per_hour(3);
    let limiters = [Limiter::new(a, rate), Limiter::new(b, rate)];
    let mut slots = std::collections::HashSet::new();
    for key in (0..30).map(|key| format!("ip:{key}")).chain((0..3).map(|key| format!("{{tag}}:{key}"))) {
        let mut decisions: Vec<Decision> = Vec::new();
        for limiter in limiters.iter().cycle().take(6) {
            decisions.push(limiter.check(&key).await);
        }
        assert_eq!(decisions.iter().filter(|decision| decision.is_allowed()).count(), 3, "{key}");
        assert!(decisions.iter().all(|decision| decision.decided_by() != DecidedBy::Failure), "{key}");
        slots.insert(cluster.master_of(cluster.slot_of(&format!("larder:r:3/3600000/3:{key}"))));
    }
    assert_eq!(slots.len(), 3, "each master has some");

    // Another master takes over, with what its replica has.
    let slot = cluster.slot_of("larder:r:3/3600000/3:late");
    assert_eq!(admitted(&limiters[0], "late", 2).await, 2);
    cluster.failover(slot);
    let by_server = async || limiters[1].check("late").await.decided_by() == DecidedBy::Server;
    eventually(by_server).await;
    assert_eq!(admitted(&limiters[1], "late", 5).await, 0, "two before, and one after");
}
