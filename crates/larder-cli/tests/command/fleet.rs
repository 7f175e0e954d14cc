//! What processes publish of themselves: `status`, `top`, `hot`.

use std::time::Duration;

use larder::{CacheExt, Heartbeat, MemoryCache, Policy, TieredCache, cached, heartbeat};
use larder_servers::{RedisServer, until};

use crate::world::{World, policy};

const EVERY: Duration = Duration::from_millis(200);

#[cached(ttl = 300, key = "item:<id>", cache = cache, skip(cache))]
async fn item(cache: &TieredCache, id: u64) -> Result<u64, String> {
    if id == 13 { Err("thirteen".to_owned()) } else { Ok(id) }
}

/// A process of the program, which has computed ten items and reads the first of them all the time.
fn process(world: &World, name: &str) -> (TieredCache, Heartbeat) {
    let cache = TieredCache::new(MemoryCache::new(1_000), world.cache());
    let beating = world.block_on(async {
        let beating = heartbeat(&cache, name, EVERY).expect("it is shared");
        for id in 0..10 {
            item(&cache, id).await.expect("it is computed");
        }
        let _ = item(&cache, 13).await;
        beating
    });
    let reads = cache.clone();
    world.runtime.spawn(async move {
        loop {
            for _ in 0..500 {
                let _ = item(&reads, 0).await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    (cache, beating)
}

fn both() -> [World; 2] {
    [World::single(), World::clustered()]
}

#[test]
fn processes_and_functions_are_seen_while_they_live() {
    for world in both() {
        let (_one, first) = process(&world, "web-1");
        let (_other, _second) = process(&world, "web-2");
        let status = || world.json(&["status"], 0).remove(0);
        let names = |status: &serde_json::Value| {
            let processes = status["processes"].as_array().expect("a list").iter();
            processes.map(|of| of["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        until("both are seen", || (names(&status()) == ["web-1", "web-2"]).then_some(()));
        assert_eq!(status()["keys"]["foreign"], 0, "heartbeats are larder's own");

        // Of a whole window.
        let top = until("it has rates", || {
            let top = world.json(&["top"], 0).remove(0);
            let of = &top["functions"][0];
            // Both processes have told of the call that failed.
            (of["hit_ratio"].as_f64() > Some(0.9) && of["total"]["failed"] == 2).then_some(top)
        });
        let of = &top["functions"][0];
        assert!(of["function"].as_str().is_some_and(|name| name.ends_with("::item")), "{top}");
        assert!(of["reads_per_second"].as_f64() > Some(100.0), "{top}");
        assert_eq!(of["total"]["failed"], 2);
        assert!(of["total"]["computed"].as_u64() >= Some(12), "{top}");
        assert!(
            top["processes"][0]["lag_ms"].is_u64() && top["processes"][0]["entries"].as_u64() >= Some(10)
        );
        assert!(top["servers"][0]["used_memory"].as_u64() > Some(0));
        assert_eq!(top["namespaces"]["largest"][0]["namespace"], "item:*");
        until("people read it", || {
            let text = world.prints(&["top", "--once"], 0);
            ["web-2", "::item", "item:*"].iter().all(|part| text.contains(part)).then_some(())
        });

        // It is not known while all heartbeats are late.
        until("a key is hot", || {
            let said = world.run(&["hot", "--json"]).stdout;
            let hottest: serde_json::Value =
                serde_json::from_slice(said.split(|byte| *byte == b'\n').next()?).ok()?;
            (hottest["key"] == "item:0").then_some(())
        });

        drop(first);
        until("it ends with the process", || (names(&status()) == ["web-2"]).then_some(()));
    }
}

/// The server's own share of lookups that found something is not that of looks at heartbeats.
#[test]
fn a_look_at_heartbeats_is_no_row_of_misses() {
    let world = World::single();
    let cache = world.cache();
    let _beating = world.block_on(async { heartbeat(&cache, "web-1", EVERY) }).expect("it is shared");
    until("it is seen", || world.prints(&["status"], 0).contains("web-1").then_some(()));
    let misses = || world.server().info("stats", "keyspace_misses")?.parse::<u64>().ok();
    let before = misses().expect("a number");
    for _ in 0..3 {
        world.prints(&["top", "--once"], 0);
    }
    let more = misses().expect("a number") - before;
    // What is asked when it connects.
    assert!(more < 30, "{more}");
    // Nothing was hit: that is said, and no table without rows is shown. It is late on a machine that is busy.
    until("it is said that no key is hot", || {
        let said = world.run(&["hot"]);
        let is_said = String::from_utf8_lossy(&said.stderr).contains("no key was hit often");
        (is_said && said.stdout.is_empty()).then_some(())
    });
}

#[test]
fn without_heartbeats_it_is_said_what_cannot_be_known() {
    let world = World::single();
    let cache = world.cache();
    world.fill(&cache, 0..3);
    let text = world.prints(&["hot"], 1);
    assert!(
        text.contains("no process publishes a heartbeat") && text.contains("larder::heartbeat"),
        "{text}"
    );
    assert_eq!(world.json(&["hot"], 1), [""; 0]);
    assert!(world.prints(&["top", "--once"], 0).contains("larder::heartbeat"));
    // There is no terminal.
    world.prints(&["top"], 2);
}

#[test]
fn a_server_that_counts_uses_tells_what_is_hot() {
    let world = World::of(RedisServer::builder().config("maxmemory-policy", "volatile-lfu").start());
    let cache = world.cache();
    world.fill(&cache, 0..20);
    world.block_on(async {
        for _ in 0..500 {
            cache.get::<crate::world::User>("user:7").await.expect("a key");
        }
    });
    let hot = world.json(&["hot", "3"], 0);
    assert_eq!((hot.len(), &hot[0]["key"]), (3, &"user:7".into()));
}

/// Keys of values that are sealed, or have other names in Redis, are in no heartbeat.
#[cfg(feature = "seal")]
#[test]
fn keys_that_are_hidden_stay_hidden() {
    let world = World::single();
    let key = larder::SealKey::from_hex(&"7".repeat(64)).expect("it is one");
    let redis = world.block_on(world.builder().seal(key).connect()).expect("it connects");
    let cache = TieredCache::new(MemoryCache::new(100), redis);
    let _beating = world.block_on(async {
        cache.insert("secret:1", &1, policy()).await.expect("it is stored");
        for _ in 0..1_000 {
            cache.get::<i32>("secret:1").await.expect("a key");
        }
        heartbeat(&cache, "sealed", EVERY).expect("it is shared")
    });
    let text = until("it is seen", || {
        let text = world.prints(&["top", "--once"], 0);
        text.contains("sealed").then_some(text)
    });
    assert!(!text.contains("secret:1"));
    let value = until("it is there", || {
        let fields: Vec<String> = world.server().command(&["HVALS", "shop:h:all"]);
        fields.into_iter().next()
    });
    assert!(value.contains("sealed") && !value.contains("secret"), "{value}");
    until("it is told", || world.prints(&["hot"], 1).contains("not to be seen in Redis").then_some(()));
}

#[test]
fn what_is_not_shared_cannot_beat() {
    let world = World::single();
    let error =
        world.block_on(async { heartbeat(&MemoryCache::new(1), "x", EVERY) }).expect_err("it is alone");
    assert!(error.is_invalid_configuration(), "{error}");
    let _: Policy = policy();
}
