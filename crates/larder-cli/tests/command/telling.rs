//! `invalidate`, `clear`, `tail`.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use larder::{CacheExt, MemoryCache, Policy, RedisCache, Scope, TieredCache};
use larder_servers::until;

use crate::world::{User, World, policy, tagged, user};

fn both() -> [World; 2] {
    [World::single(), World::clustered()]
}

/// Another process' memory, with `user:<id>` in it.
fn remembering(world: &World) -> TieredCache {
    let cache = TieredCache::new(MemoryCache::new(1_000), world.cache());
    world.block_on(async {
        for key in ["user:1", "user:2", "page:1", "org"] {
            cache.insert(key, &1u8, tagged([format!("of-{key}")])).await.expect("it is stored");
        }
    });
    cache
}

fn has(world: &World, cache: &TieredCache, key: &str) -> bool {
    world.block_on(async { cache.get::<u8>(key).await }).expect("a key").is_some()
}

#[test]
fn what_is_invalidated_goes_in_all_processes() {
    for world in both() {
        let cache = remembering(&world);
        let all = ["user:1", "user:2", "page:1", "org"];
        for (arguments, gone) in [
            (&["invalidate", "user:1"][..], &["user:1"][..]),
            (&["invalidate", "user:*"], &["user:1", "user:2"]),
            (&["invalidate", "--tag", "of-org", "page:1"], &["page:1", "org"]),
            (&["invalidate", "--all"], &all),
        ] {
            let cache = match arguments[1] {
                "user:1" => cache.clone(),
                _ => remembering(&world),
            };
            let said = &world.json(arguments, 0)[0];
            assert!(said["epoch"].is_string(), "{said}");
            for key in gone {
                until("it is gone", || (!has(&world, &cache, key)).then_some(()));
            }
            for key in all.iter().filter(|key| !gone.contains(key)) {
                assert!(has(&world, &cache, key), "{arguments:?} drops {key}");
            }
        }
    }
}

#[test]
fn what_is_no_pattern_is_refused() {
    let world = World::single();
    for arguments in
        [&["invalidate", "user*"][..], &["invalidate", "a:*:b"], &["invalidate"], &["invalidate", "*"]]
    {
        world.prints(arguments, 2);
    }
    assert!(world.prints(&["invalidate", "user*", "--exact"], 0).contains("user*"));
}

fn entries(world: &World) -> usize {
    world.json(&["keys"], 0).len()
}

#[test]
fn what_would_be_cleared_is_said() {
    for world in both() {
        let cache = world.cache();
        world.fill(&cache, 0..30);
        world.block_on(cache.insert("other:1", &1, policy())).expect("it is stored");
        let before = (world.json(&["status"], 0)[0]["log"].clone(), entries(&world));
        // Neither asked for nor done.
        let said = world.json(&["clear", "--namespace", "user", "--dry-run"], 0).remove(0);
        let size: u64 = world.json(&["keys", "user:"], 0).iter().filter_map(|of| of["size"].as_u64()).sum();
        assert_eq!(
            (&said["deleted"], &said["bytes"], &said["epoch"]),
            (&30.into(), &size.into(), &().into())
        );
        let text = world.prints(&["clear", "--dry-run"], 0);
        assert!(text.starts_with("31 entries would be deleted from Redis: "), "{text}");
        assert_eq!((world.json(&["status"], 0)[0]["log"].clone(), entries(&world)), before);
        let done = world.json(&["clear", "--yes"], 0).remove(0);
        let fields = |of: &serde_json::Value| -> Vec<String> {
            of.as_object().expect("one").keys().cloned().collect()
        };
        assert_eq!(fields(&done), fields(&said));
    }
}

#[test]
fn clear_touches_nothing_outside_of_the_prefix() {
    for world in both() {
        let cache = world.cache();
        world.fill(&cache, 0..1_500);
        // Its keys begin as this prefix does.
        let neighbour = world
            .block_on(RedisCache::builder().url(&world.url).prefix("shop2").connect())
            .expect("it connects");
        world.block_on(async {
            cache.increment("hits", 1, None).await.expect("it counts");
            cache.insert("org:1", &1u8, policy()).await.expect("it is stored");
            neighbour.insert("user:1", &user(1), policy()).await.expect("it is stored");
        });

        let refused = world.run(&["clear"]);
        assert_eq!(refused.status.code(), Some(2), "there is no terminal to ask on");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("say --yes to clear all entries"));
        assert_eq!(entries(&world), 1_501);

        let said = &world.json(&["clear", "--namespace", "user", "--yes"], 0)[0];
        assert_eq!(said["deleted"], 1_500, "{said}");
        assert_eq!(entries(&world), 1);
        let gone: Option<User> = world.block_on(cache.get("user:7")).expect("a key");
        assert_eq!(gone, None);
        assert_eq!(world.json(&["clear", "--yes"], 0)[0]["deleted"], 1);
        world.block_on(async {
            assert_eq!(cache.counter("hits").await.expect("it is there"), 1);
            assert!(
                neighbour.get::<User>("user:1").await.expect("a key").is_some(),
                "its log is another one"
            );
        });
    }
}

#[test]
fn tail_shows_what_happens() {
    for world in both() {
        let cache = world.cache();
        world.fill(&cache, 7..8);
        let mut child = world
            .command(&["tail", "--json", "--count", "5", "--tag", "acme"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = String::new();
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        stderr.read_line(&mut said).expect("it says that it follows");
        assert!(said.contains("following shop:log"), "{said}");
        world.block_on(async {
            cache.invalidate("user:*").await;
            cache.invalidate("user:7").await;
            cache.invalidate(Scope::tag("acme")).await;
            cache.invalidate("unknown").await;
            cache.mark_stale("user:7").await;
        });
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let names: Vec<_> = stdout
            .lines()
            .map(|line| {
                let line: serde_json::Value =
                    serde_json::from_str(&line.expect("a line")).expect("it is JSON");
                assert!(line["by"].is_string(), "{line}");
                (line["event"].clone(), line["scopes"][0]["name"].clone())
            })
            .collect();
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        let invalidated = |name: serde_json::Value| ("invalidated".into(), name);
        assert_eq!(
            names,
            [
                invalidated("user:*".into()),
                invalidated("user:7".into()),
                invalidated("tag acme".into()),
                invalidated(serde_json::Value::Null),
                ("marked stale".into(), "user:7".into()),
            ]
        );
    }
}

/// What is marked stale is not invalidated: it is served for its stale windows, if it has any.
/// In a log that never rests there is more to read at each look.
#[test]
fn an_interrupted_tail_ends_however_much_is_appended() {
    let world = World::single();
    let cache = world.cache();
    world.block_on(async { cache.invalidate("user:7").await });
    let flooded = AtomicBool::new(true);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // As many records as a reader can take in at once, again and again.
                let script = "for n = 1, 5000 do redis.call('XADD', KEYS[1], 'MAXLEN', '~', 20000, '*', 'r', ARGV[1]) end";
                let wake = "\u{1}\u{1}\0\0\0\0\0\0\0\u{7}\u{1}";
                while flooded.load(Ordering::Relaxed) {
                    world.server().command::<()>(&["EVAL", script, "1", "shop:log", wake]);
                }
            });
        }
        let mut child = world.command(&["tail", "--all", "--timeout", "20"]);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let read = lines.read_line(&mut String::new()).expect("it is text");
        let rest = scope.spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("it is there").success());
        let end = Instant::now() + Duration::from_secs(20);
        let code = loop {
            if let Some(status) = child.try_wait().expect("it is ours") {
                break status.code();
            }
            if Instant::now() > end {
                child.kill().expect("it runs");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        flooded.store(false, Ordering::Relaxed);
        assert!(rest.join().expect("it ends").is_ok() && read > 0);
        assert_eq!(code, Some(0), "none if it was killed");
    });
}

#[test]
fn marks_are_explained() {
    for world in both() {
        let cache = world.cache();
        let windows = Policy::builder().ttl(Duration::from_secs(300)).stale_if_error(Duration::from_secs(60));
        world.block_on(async {
            cache.insert("user:1", &user(1), policy()).await.expect("it is stored");
            cache
                .insert("user:2", &user(2), windows.build().expect("it is valid"))
                .await
                .expect("it is stored");
            cache.insert("page:1", &1u8, policy()).await.expect("it is stored");
            cache.mark_stale("user:*").await;
        });
        for (key, code, state, marked) in [
            ("user:1", 1, "marked stale", true),
            ("user:2", 0, "marked stale", true),
            ("page:1", 0, "valid", false),
        ] {
            let said = &world.json(&["explain", key], code)[0];
            assert_eq!(said["state"], state, "{said}");
            let scopes = said["scopes"].as_array().expect("a list");
            let is_marked = |scope: &&serde_json::Value| scope["marked_since_computed"] == true;
            let names: Vec<_> = scopes.iter().filter(is_marked).map(|scope| &scope["name"]).collect();
            assert_eq!(names, if marked { vec!["user:*"] } else { Vec::new() }, "{said}");
        }
        let text = world.prints(&["explain", "user:1"], 1);
        assert!(
            text.contains("no stale window to serve it in: user:*") && text.contains("(marked stale)"),
            "{text}"
        );
        world.block_on(async { cache.insert("user:1", &user(1), policy()).await }).expect("it is stored");
        assert_eq!(
            world.json(&["explain", "user:1"], 0)[0]["state"],
            "valid",
            "it was stored after the mark"
        );
    }
}
