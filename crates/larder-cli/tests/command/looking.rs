//! `status`, `keys`, `get`, `explain`, `largest`.

use std::{io::Write, time::Duration};

use larder::{
    CacheExt, Compression, Policy, RedisCache, Scope,
    codec::{self, Codec, CodecError},
};
use serde::{Serialize, de::DeserializeSeed};
use serde_json::json;

use crate::world::{World, policy, tagged};

fn both() -> [World; 2] {
    [World::single(), World::clustered()]
}

#[test]
fn status_counts_what_is_there() {
    for world in both() {
        let cache = world.cache();
        world.fill(&cache, 0..120);
        world.block_on(async { cache.increment("hits", 3, None).await }).expect("it counts");
        let status = &world.json(&["status"], 0)[0];
        assert_eq!(status["prefix"], "shop");
        assert_eq!(status["keys"]["entries"], 120, "{status}");
        assert_eq!(status["keys"]["counters"], 1);
        assert_eq!(status["keys"]["foreign"], 0);
        assert_eq!(status["keys"]["estimated"], false);
        assert!(status["log"]["records"].as_u64() > Some(100), "{status}");
        assert_eq!(
            status["servers"].as_array().map(Vec::len),
            Some(if world.cluster.is_some() { 3 } else { 1 })
        );
        let text = world.prints(&["status"], 0);
        assert!(text.contains("shop:  120 entries, 1 counter"), "{text}");
    }
}

/// Nothing is written by who only looks.
#[test]
fn looking_leaves_nothing_behind() {
    let world = World::single();
    for (arguments, code) in [
        (&["status"][..], 0),
        (&["keys"], 0),
        (&["get", "x"], 1),
        (&["explain", "x"], 1),
        (&["largest"], 0),
        (&["doctor"], 0),
        (&["trim"], 0),
    ] {
        world.prints(arguments, code);
        assert_eq!(world.server().command::<u64>(&["DBSIZE"]), 0, "{arguments:?}");
    }
}

#[test]
fn keys_are_listed_from_all_nodes_with_their_state() {
    for world in both() {
        let cache = world.cache();
        world.fill(&cache, 0..2_500);
        world.block_on(async {
            cache.insert("page:1", &"x".repeat(9_000), policy()).await.expect("it is stored");
            cache.insert("org:1", &1u8, tagged(["acme"])).await.expect("it is stored");
        });
        let all = world.json(&["keys"], 0);
        assert_eq!(all.len(), 2_502);
        assert!(all.iter().all(|line| line["state"] == "valid" && line["why"].is_null()));
        let page = world.json(&["keys", "page:*"], 0);
        assert_eq!(page.len(), 1);
        assert_eq!((&page[0]["codec"], &page[0]["compression"]), (&json!("MessagePack"), &json!("LZ4")));
        assert!(page[0]["ttl_ms"].as_u64() > Some(290_000) && page[0]["size"].as_u64() < Some(9_000));
        assert_eq!(world.json(&["keys", "user:1", "--limit", "5"], 0).len(), 5);

        // Those of other scopes than their own keys stay in Redis, and are invalid.
        world.block_on(async {
            cache.invalidate("user:*").await;
            cache.invalidate(Scope::tag("acme")).await;
        });
        let invalid = world.json(&["keys", "--invalid"], 0);
        assert_eq!(invalid.len(), 2_501);
        let of = |key: &str| invalid.iter().find(|line| line["key"] == key).expect("it is listed");
        assert_eq!(of("user:7")["why"], "invalidated since: user:*");
        assert!(
            of("org:1")["why"].as_str().is_some_and(|why| why.contains("prefix or tag")),
            "{}",
            of("org:1")
        );
        world.block_on(async { cache.invalidate("*").await });
        assert!(world.prints(&["keys", "page:"], 0).contains("page:1  (everything was invalidated since)"));
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let world = World::single();
    let cache = world.cache();
    world.fill(&cache, 0..3);
    let server = world.server();
    server.command::<()>(&["SET", "shop:e:text", "hello"]);
    server.command::<()>(&["RPUSH", "shop:e:list", "hello"]);
    server.command::<()>(&["SET", "shop:e:\u{1b}[2Jx", "hello"]);
    server.command::<()>(&["SET", "shopping:e:other", "hello"]);
    server.command::<()>(&["SETRANGE", "shop:e:user:1", "60", "x"]);
    server.command::<()>(&["COPY", "shop:e:user:0", "shop:e:user:9"]);
    let lines = world.json(&["keys"], 0);
    assert_eq!(lines.len(), 7, "nothing outside of the prefix: {lines:?}");
    let why = |key: &str| {
        let line = lines.iter().find(|line| line["key"] == key).expect("it is listed");
        line["why"].as_str().unwrap_or_default().to_owned()
    };
    assert!(why("text").starts_with("magic"), "{}", why("text"));
    assert!(why("list").starts_with("type"), "{}", why("list"));
    assert!(why("user:1").starts_with("checksum"), "{}", why("user:1"));
    assert!(why("user:9").contains("does not name this key"), "{}", why("user:9"));
    assert_eq!(why("user:2"), "");
    assert!(!world.prints(&["keys"], 0).contains('\u{1b}'), "a key controls the terminal");
}

#[test]
fn get_shows_header_and_value() {
    for world in both() {
        let caches: [(&str, RedisCache); 3] = [
            ("MessagePack", world.cache_with(codec::MessagePack, Compression::Lz4)),
            ("JSON", world.cache_with(codec::Json, Compression::None)),
            ("JSON", world.cache_with(codec::Json, Compression::Zstd)),
        ];
        for (codec, cache) in caches {
            world.fill(&cache, 7..8);
            let text = world.prints(&["get", "user:7", "--json"], 0);
            assert!(text.contains(r#""value":{"name":"User 7","id":7}"#), "{codec}: {text}");
            let get = &world.json(&["get", "user:7"], 0)[0];
            assert_eq!(get["header"]["codec"], codec);
            assert_eq!(get["header"]["fresh_ms"], 300_000);
            assert_eq!(get["header"]["scopes"].as_array().map(Vec::len), Some(2));
            let text = world.prints(&["get", "user:7"], 0);
            assert!(text.contains("{\n  \"name\": \"User 7\",\n  \"id\": 7\n}"), "{text}");
            world
                .block_on(async { cache.insert("long", &vec![7u16; 3_000], policy()).await })
                .expect("stored");
            let value = &world.json(&["get", "long"], 0)[0]["value"];
            assert_eq!(value.as_array().map(Vec::len), Some(3_000));
        }
        let caches = [
            ("bincode", world.cache_with(codec::Bincode, Compression::None)),
            ("postcard", world.cache_with(codec::Postcard, Compression::None)),
            ("codec 130", world.cache_with(OfAProgram, Compression::None)),
        ];
        for (codec, cache) in caches {
            world.fill(&cache, 8..9);
            let get = &world.json(&["get", "user:8"], 0)[0];
            assert!(get["value"].is_null());
            assert_eq!((&get["header"]["codec"], &get["served"]), (&json!(codec), &json!(true)));
            assert_eq!(get["header"]["value_bytes"], 8, "{get}");
            let problem = get["value_problem"].as_str().unwrap_or_default();
            assert!(problem.contains(&format!("a value in {codec} cannot be shown")), "{get}");
            let explained = &world.json(&["explain", "user:8"], 0)[0];
            assert_eq!(explained["served"], true, "{explained}");
        }
        let absent = world.run(&["get", "user:1000"]);
        assert_eq!(absent.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&absent.stderr).contains("there is no entry of the key user:1000"));
    }
}

#[test]
fn explain_names_what_was_invalidated_and_when() {
    for world in both() {
        let cache = world.cache();
        // The process takes up the start of the log before entries are made.
        world.fill(&cache, 7..8);
        let explain = &world.json(&["explain", "user:7"], 0)[0];
        assert_eq!((&explain["served"], &explain["state"]), (&json!(true), &json!("valid")));

        world.block_on(async {
            let board = cache.get_or_compute("board:1", tagged(["org:1"]), || async {
                let _: Option<crate::world::User> = cache.get("user:7").await.ok().flatten();
                Ok::<_, String>(1u8)
            });
            board.await.expect("it is computed");
        });
        // Its value reaches Redis behind its caller.
        larder_servers::until("the board is stored", || {
            (world.run(&["explain", "board:1"]).status.code() == Some(0)).then_some(())
        });
        // What it was made from is in Redis, and known by its name.
        larder_servers::until("the user is named", || {
            let explain = world.json(&["explain", "board:1"], 0).remove(0);
            let scopes = explain["scopes"].as_array().expect("scopes");
            let is_named = |name: &&str| scopes.iter().any(|scope| scope["name"] == **name);
            ["user:7", "user:*", "board:1"].iter().all(is_named).then_some(())
        });
        let epoch = world.block_on(async { cache.invalidate(Scope::tag("org:1")).await });
        let larder::Invalidation::Delivered(epoch) = epoch else { panic!("it is queued") };
        let explain = &world.json(&["explain", "board:1", "--tag", "org:1", "--from", "user:7"], 1)[0];
        assert_eq!((&explain["served"], &explain["state"]), (&json!(false), &json!("invalidated")));
        let scopes = explain["scopes"].as_array().expect("scopes");
        let of = |name: &str| {
            scopes.iter().find(|scope| scope["name"] == name).unwrap_or_else(|| panic!("{name}: {explain}"))
        };
        assert_eq!(of("tag org:1")["invalidated_last"], epoch.to_string());
        assert_eq!(of("tag org:1")["since_computed"], true);
        assert!(of("tag org:1")["by"].is_string());
        assert_eq!(of("board:*")["invalidated_last"], json!(null));
        assert_eq!(of("user:7")["since_computed"], false, "its insertion was before");
        let text = world.prints(&["explain", "board:1", "--tag", "org:1"], 1);
        assert!(
            text.contains("board:1: would not be served by a process that connects now (invalidated)"),
            "{text}"
        );
        assert!(text.contains("after it was computed"), "{text}");
        assert!(text.contains("invalidated since: tag org:1\n"), "{text}");

        world.block_on(async { cache.invalidate("user:7").await });
        // On a Cluster it is deleted behind the reply of the log's node.
        let gone = larder_servers::until("the entry is deleted", || {
            let gone = world.prints(&["explain", "user:7"], 1);
            gone.contains("user:7: not in Redis").then_some(gone)
        });
        assert!(gone.contains("was invalidated last at"), "{gone}");
        let never = world.prints(&["explain", "nothing"], 1);
        assert!(never.contains("not in Redis"), "{never}");
    }
}

/// What a trimmed log no longer knows is not claimed.
/// The IDs behind one that a process chose are ahead of the clock, also when that has passed them: they date nothing.
#[test]
fn a_time_is_told_only_where_the_clock_gave_it() {
    let world = World::single();
    let now: Vec<u64> = world.server().command(&["TIME"]);
    let [chosen, given] = [60, 30].map(|before| (now[0] - before) * 1_000);
    let append = |id: String, sender: u8| {
        let script = "redis.call('XADD', KEYS[1], ARGV[1], 'r', '\\1\\0' .. string.rep('\\0', 7) .. string.char(ARGV[2]) .. \
                      string.rep('\\0', 8) .. string.rep('\\255', 8))";
        world.server().command::<()>(&["EVAL", script, "1", "shop:log", &id, &sender.to_string()]);
    };
    let why = || world.json(&["explain", "user:1"], 1)[0]["why"].as_str().expect("a text").to_owned();
    append(format!("{chosen}-0"), 0);
    append(format!("{chosen}-1"), 7);
    assert!(
        why().contains(&format!("at {chosen}-1 by process 0000000000000007: everything. If ")),
        "{}",
        why()
    );
    append(format!("{given}-0"), 7);
    let told = why();
    assert!(!told.contains(&given.to_string()) && told.contains("Z by process 0000000000000007"), "{told}");
}

#[test]
fn entries_older_than_the_log_are_told_from_invalidated_ones() {
    let world = World::single();
    let cache = world.cache();
    world.fill(&cache, 0..2);
    world.block_on(async {
        for _ in 0..5 {
            cache.invalidate("other").await;
        }
    });
    world.server().trim_stream("shop:log", 2);
    let explain = &world.json(&["explain", "user:1"], 1)[0];
    assert_eq!(explain["state"], "older than log", "{explain}");
    world.server().delete("shop:log");
    drop(cache);
    let state = |line: &serde_json::Value| line["state"].as_str().unwrap_or_default().to_owned();
    let states: Vec<_> = world.json(&["keys"], 0).iter().map(state).collect();
    // The program's thread may make the log anew before it ends.
    assert!(states.iter().all(|state| state == "no log" || state == "invalidated"), "{states:?}");
}

#[test]
fn stale_entries_and_those_of_a_lost_log() {
    let world = World::single();
    let cache = world.cache();
    let short = Policy::builder()
        .ttl(Duration::from_millis(1))
        .stale_while_revalidate(Duration::from_secs(100))
        .build()
        .expect("it is valid");
    world.block_on(async { cache.insert("old", &1u8, short).await }).expect("it is stored");
    let explain = &world.json(&["explain", "old"], 0)[0];
    assert_eq!((&explain["served"], &explain["state"]), (&json!(true), &json!("stale")));
}

#[test]
fn the_largest_first() {
    for world in both() {
        let cache = world.cache_with(codec::MessagePack, Compression::None);
        world.block_on(async {
            for (index, size) in [10, 5_000, 70_000, 300, 20_000].into_iter().enumerate() {
                cache.insert(&format!("v:{index}"), &"x".repeat(size), policy()).await.expect("stored");
            }
        });
        let keys = |lines: Vec<serde_json::Value>| -> Vec<_> {
            lines.into_iter().map(|line| line["key"].as_str().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(keys(world.json(&["largest", "3"], 0)), ["v:2", "v:4", "v:1"]);
        assert_eq!(world.json(&["largest"], 0).len(), 5);
        // Whatever lists entries has the same fields.
        let fields = |command: &str| -> Vec<String> {
            world.json(&[command], 0)[0].as_object().expect("an object").keys().cloned().collect()
        };
        assert_eq!(fields("largest"), fields("keys"));
        assert_eq!(world.json(&["top"], 0)[0]["log"], world.json(&["status"], 0)[0]["log"]);
        let text = world.prints(&["largest", "1"], 0);
        assert!(text.contains("68.4 KiB") || text.contains("68.5 KiB"), "{text}");
    }
}

/// A program's codec: postcard under another number.
struct OfAProgram;

impl Codec for OfAProgram {
    fn number(&self) -> u8 {
        130
    }

    fn name(&self) -> &'static str {
        "of a program"
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn encode<V: Serialize + ?Sized>(&self, value: &V, writer: impl Write) -> Result<(), CodecError> {
        codec::Postcard.encode(value, writer)
    }

    fn decode<'de, S: DeserializeSeed<'de>>(
        &self,
        payload: &'de [u8],
        seed: S,
    ) -> Result<S::Value, CodecError> {
        codec::Postcard.decode(payload, seed)
    }
}
