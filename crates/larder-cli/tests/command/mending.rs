//! `doctor` and `trim`.

use larder::{CacheExt, RedisCache};
use larder_servers::RedisServer;
use serde_json::Value;

use crate::world::{World, policy};

/// What the doctor says of something, at this level or worse.
fn findings(said: &Value, level: &str) -> Vec<String> {
    let findings = said["findings"].as_array().expect("findings");
    let of_level = findings.iter().filter(|finding| finding["level"] == level);
    of_level
        .map(|finding| format!("{} {} -> {}", finding["about"], finding["text"], finding["mend"]))
        .collect()
}

#[track_caller]
fn has(said: &Value, level: &str, words: &[&str]) {
    let found = findings(said, level);
    assert!(found.iter().any(|text| words.iter().all(|word| text.contains(word))), "{words:?} in {said:#}");
}

#[test]
fn a_server_that_is_well() {
    let builder =
        RedisServer::builder().config("maxmemory", "100mb").config("maxmemory-policy", "volatile-lru");
    for world in [World::of(builder.start()), World::clustered()] {
        let cache = world.cache();
        world.fill(&cache, 0..10);
        let said = &world.json(&["doctor"], 0)[0];
        assert_eq!(findings(said, "wrong"), [""; 0]);
        if world.cluster.is_none() {
            assert_eq!(findings(said, "warning"), [""; 0]);
        }
        assert!(world.prints(&["doctor"], 0).contains("ok       rights"));
    }
}

#[test]
fn a_policy_that_evicts_the_log_and_a_memory_that_is_full() {
    let world = World::single();
    let server = world.server();
    server.set_config("maxmemory-policy", "allkeys-lru");
    let said = &world.json(&["doctor"], 1)[0];
    has(
        said,
        "wrong",
        &["allkeys-lru may evict the invalidation log", "CONFIG SET maxmemory-policy volatile-lru"],
    );
    has(said, "warning", &["no limit"]);
    server.set_config("maxmemory-policy", "noeviction");
    assert_eq!(world.json(&["doctor"], 0)[0]["well"], true);
    let used: u64 =
        server.info("memory", "used_memory").and_then(|used| used.parse().ok()).expect("a number");
    server.set_config("maxmemory", &(used * 11 / 10).to_string());
    has(&world.json(&["doctor"], 1)[0], "wrong", &["when it is full, nothing can be stored"]);
    server.set_config("maxmemory-policy", "volatile-lru");
    has(&world.json(&["doctor"], 0)[0], "warning", &["larder largest"]);
}

#[test]
fn rights_that_are_missing() {
    let rules = "app on >word resetchannels -@all ~shop:* +info +time +get +set +scan +dbsize +strlen +getrange +pttl +evalsha +xread +xinfo +xlen +xrevrange";
    let world = World::of(RedisServer::builder().user(rules).start());
    let app = World { url: world.server().url_as("app", "word"), ..World::of_none() };
    let said = &app.json(&["doctor"], 1)[0];
    has(said, "wrong", &["NOPERM", "ACL SETUSER app"]);
    let found = findings(said, "wrong").join(" ");
    for right in ["+eval", "+xadd", "+unlink", "+setrange", "+pexpire", "+incrby"] {
        assert!(found.contains(right), "{right}: {found}");
    }
    assert!(!found.contains("+xread "), "{found}");
    // What it names is what mends it.
    let line =
        found.split_once("run ACL SETUSER app ").expect("the line").1.split_once(" (").expect("its end").0;
    let words: Vec<_> = ["ACL", "SETUSER", "app"].into_iter().chain(line.split(' ')).collect();
    world.server().command::<()>(&words);
    assert_eq!(findings(&app.json(&["doctor"], 0)[0], "wrong"), [""; 0]);
}

/// The rights that the guide lists are enough for the doctor to find nothing wrong.
#[test]
fn the_rights_of_the_guide_are_enough() {
    let rules = "app on >word resetchannels -@all ~shop:* +get +set +evalsha +eval +getrange +pttl +unlink \
                 +xadd +xread +xrevrange +xinfo|stream +info +time +setrange +pexpire +del +exists +incrby +hmget +hset";
    let world = World::of(RedisServer::builder().user(rules).start());
    let app = World { url: world.server().url_as("app", "word"), ..World::of_none() };
    let said = &app.json(&["doctor"], 0)[0];
    assert_eq!(findings(said, "wrong"), [""; 0]);
    has(said, "warning", &["not checked", "ACL SETUSER app"]);
}

#[test]
fn no_scripts_and_what_others_do_to_the_prefix_and_the_log() {
    let world = World::of(RedisServer::builder().config("rename-command", "EVAL \"\"").start());
    let cache = world.cache();
    world.fill(&cache, 0..3);
    let server = world.server();
    server.command::<()>(&["SET", "shop:session:1", "x"]);
    server.command::<()>(&["PERSIST", "shop:e:user:1"]);
    server.command::<()>(&["EXPIRE", "shop:log", "1000"]);
    let said = &world.json(&["doctor"], 1)[0];
    has(said, "wrong", &["rights", "unknown command", "EVAL"]);
    has(said, "wrong", &["shop:log has a TTL", "PERSIST shop:log"]);
    has(said, "warning", &["not larder's", "shop:session:1"]);
    has(said, "warning", &["no TTL", "shop:e:user:1"]);
}

#[test]
fn a_prefix_that_every_program_has() {
    let world = World::single();
    let output = world.command(&["doctor", "--json"]).env("LARDER_PREFIX", "").output().expect("it runs");
    let said: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    has(&said, "warning", &["is the default", "LARDER_PREFIX=shop"]);
}

#[test]
fn a_log_that_another_program_wrote() {
    let world = World::single();
    world.server().command::<()>(&["XADD", "shop:log", "4398046511100-0", "r", "x"]);
    let said = &world.json(&["doctor"], 1)[0];
    has(said, "wrong", &["no server gives", "larder invalidate --all"]);
    world.prints(&["invalidate", "--all"], 0);
    assert_eq!(findings(&world.json(&["doctor"], 0)[0], "wrong"), [""; 0], "that mends it");
}

#[test]
fn trim_deletes_what_no_process_serves() {
    for world in [World::single(), World::clustered()] {
        let cache = world.cache();
        world.fill(&cache, 0..1_200);
        let neighbour = RedisCache::builder().url(&world.url).prefix("shop2");
        let neighbour = world.block_on(neighbour.connect()).expect("it connects");
        world.block_on(async {
            cache.insert("org:1", &1u8, policy()).await.expect("it is stored");
            neighbour.insert("user:1", &1u8, policy()).await.expect("it is stored");
            cache.invalidate("user:*").await;
            neighbour.invalidate("user:*").await;
        });
        let dry = &world.json(&["trim", "--dry-run"], 0)[0];
        assert_eq!((&dry["entries"], &dry["looked_at"]), (&1_200.into(), &1_201.into()));
        assert_eq!(world.json(&["keys"], 0).len(), 1_201);
        assert_eq!(world.json(&["trim"], 0)[0]["entries"], 1_200);
        let left = world.json(&["keys"], 0);
        assert_eq!((left.len(), &left[0]["key"]), (1, &"org:1".into()));
        assert_eq!(world.json(&["keys", "--prefix", "shop2"], 0).len(), 1);
    }
}

#[test]
fn trimming_the_log() {
    let world = World::single();
    let cache = world.cache();
    world.fill(&cache, 0..50);
    assert!(world.json(&["trim", "--log", "10"], 0)[0]["trimmed_records"].as_u64() >= Some(40));
    assert_eq!(world.json(&["status"], 0)[0]["log"]["records"], 10);
}
