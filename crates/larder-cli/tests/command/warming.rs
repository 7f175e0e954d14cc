//! `warm`: what a file says is what processes serve, unless it was invalidated; and what is said of lines that are wrong.

mod replacing;
mod without_log;

use std::{
    convert::Infallible,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use larder::{CacheExt, Policy, RedisCache, Scope, SealKey};
use larder_servers::RedisServer;
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{User, World, policy, tagged, user};

/// A folder with a file of lines.
struct Lines {
    folder: TempDir,
}

impl Lines {
    fn of(text: &str) -> Self {
        let lines = Self { folder: TempDir::new().expect("a folder") };
        lines.write(text);
        lines
    }

    fn users(ids: std::ops::Range<u64>) -> Self {
        Self::of(&users(ids))
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path(), text).expect("it is written");
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("users.jsonl")
    }

    fn name(&self) -> String {
        self.path().display().to_string()
    }
}

fn users(ids: std::ops::Range<u64>) -> String {
    let mut text = String::new();
    for id in ids {
        let value = serde_json::to_string(&user(id)).expect("it is written");
        writeln!(text, r#"{{"key": "user:{id}", "value": {value}, "ttl": 300}}"#).expect("it is written");
    }
    text
}

/// Warms, and returns what it counted.
#[track_caller]
fn warms(world: &World, file: &Path, options: &[&str], code: i32) -> Value {
    let name = file.display().to_string();
    let arguments: Vec<_> = ["warm", &*name].into_iter().chain(options.iter().copied()).collect();
    world.json(&arguments, code).pop().expect("a line")
}

#[track_caller]
fn counted(said: &Value, expected: &[(&str, u64)]) {
    for (name, count) in expected {
        assert_eq!(said[name], *count, "{name} in {said}");
    }
}

fn tip(world: &World) -> String {
    world.json(&["status"], 0)[0]["log"]["last"].as_str().expect("there is a log").to_owned()
}

fn found(world: &World, cache: &RedisCache, key: &str) -> Option<User> {
    world.block_on(cache.get::<User>(key)).expect("it is a key")
}

#[test]
fn what_the_file_has_is_served_and_invalidated_as_ever() {
    for world in [World::single(), World::clustered()] {
        // Before any process of the program was there.
        let lines = Lines::of(
            &(users(0..1_200)
                + r#"{"key":"org:1","value":{"name":"One","id":1},"ttl":"5m","tags":["orgs"]}"#
                + "\n"
                + r#"{"value":{"id":1,"name":"Page"},"from":["user:3","plan:*"],"key":"page:1"}"#),
        );
        let said = warms(&world, &lines.path(), &["--as-of", "now", "--ttl", "1h"], 0);
        counted(&said, &[("stored", 1_202), ("there", 0), ("invalidated", 0), ("wrong", 0)]);

        let (cache, other) = (world.cache(), world.cache());
        for id in [0, 7, 700, 1_199] {
            assert_eq!(found(&world, &cache, &format!("user:{id}")), Some(user(id)));
        }
        assert!(found(&world, &cache, "org:1").is_some() && found(&world, &cache, "page:1").is_some());
        assert_eq!(cache.stats().shared_rejected, 0);
        world.block_on(async {
            other.invalidate("user:7").await;
            other.invalidate(Scope::tag("orgs")).await;
            other.invalidate("plan:*").await;
        });
        let cache = world.cache();
        for key in ["user:7", "org:1", "page:1"] {
            assert_eq!(found(&world, &cache, key), None, "{key}");
        }
        assert_eq!(found(&world, &cache, "user:8"), Some(user(8)));
        assert!(world.prints(&["explain", "user:8"], 0).contains("would be served"));
        assert!(world.prints(&["get", "user:8"], 0).contains("untyped"));
    }
}

#[test]
fn what_was_invalidated_since_the_values_were_read_is_not_stored() {
    let world = World::single();
    let cache = world.cache();
    let before = tip(&world);
    world.block_on(async {
        cache.invalidate("user:3").await;
        cache.insert("user:5", &user(55), policy()).await.expect("it is stored");
        cache.insert("user:6", &user(66), tagged(["t"])).await.expect("it is stored");
    });
    let lines = Lines::users(0..10);
    let dry = warms(&world, &lines.path(), &["--as-of", &before, "--dry-run"], 0);
    // An insert invalidates what was there.
    counted(&dry, &[("stored", 7), ("there", 0), ("invalidated", 3)]);
    assert_eq!(world.json(&["keys"], 0).len(), 2);
    counted(&warms(&world, &lines.path(), &["--as-of", &before], 0), &[("stored", 7), ("invalidated", 3)]);
    // And what is invalidated between the reading and the command's end is not served, whenever it is stored.
    let values = ["user:3", "user:5", "user:6", "user:7"].map(|key| found(&world, &world.cache(), key));
    assert_eq!(values, [None, Some(user(55)), Some(user(66)), Some(user(7))]);

    // As of now, what a process stored stays.
    counted(&warms(&world, &lines.path(), &["--as-of", "now"], 0), &[("stored", 1), ("there", 9)]);
    assert_eq!(found(&world, &world.cache(), "user:5"), Some(user(55)));
    let fails = |as_of: &str, words: &[&str]| {
        let output = world.run(&["warm", &lines.name(), "--as-of", as_of]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        words.iter().for_each(|word| assert!(error.contains(word), "{word:?} in {error}"));
    };
    fails("4000000000000-0", &["is ahead of the invalidation log", "larder status"]);
    fails("yesterday", &["`now`, or an epoch is expected"]);
    world.prints(&["trim", "--log", "1"], 0);
    fails(&before, &["does not go back to", "read the values from their source once more"]);
}

#[test]
fn what_the_type_would_not_write_is_a_miss_and_named() {
    let world = World::single();
    let lines = Lines::of(concat!(
        r#"{"key":"user:1","value":{"id":1},"ttl":300}"#,
        "\n",
        r#"{"key":"user:2","value":{"id":2,"name":"Two","age":3},"ttl":300}"#,
        "\n",
        r#"{"key":"user:3","value":{"name":"Three","id":3},"ttl":300}"#,
        "\n",
    ));
    warms(&world, &lines.path(), &["--as-of", "now"], 0);
    let cache = world.cache();
    assert_eq!(found(&world, &cache, "user:1"), None);
    assert_eq!(found(&world, &cache, "user:2"), None);
    assert_eq!(found(&world, &cache, "user:3"), Some(User { name: "Three".into(), id: 3 }));
    let rejections = cache.link().rejections;
    assert!(rejections.iter().any(|of| of.reason == "untyped" && of.mend.contains("larder get KEY --json")));

    // A schema version has to be named.
    let policy = Policy::builder().ttl(Duration::from_secs(300)).schema(4).build().expect("it is valid");
    let computed = |id: u64| {
        let cache = world.cache();
        let key = format!("versioned:{id}");
        let policy = policy.clone();
        world.block_on(async move {
            let computation = async || Ok::<_, Infallible>(User { name: "computed".into(), id });
            cache.get_or_compute(&key, policy, computation).await.expect("it cannot fail").name
        })
    };
    let of = |id| {
        Lines::of(&format!(r#"{{"key":"versioned:{id}","value":{{"name":"warmed","id":{id}}},"ttl":300}}"#))
    };
    warms(&world, &of(1).path(), &["--as-of", "now"], 0);
    warms(&world, &of(2).path(), &["--as-of", "now", "--schema", "4"], 0);
    assert_eq!((&*computed(1), &*computed(2)), ("computed", "warmed"));
}

#[test]
fn wrong_lines_are_named_and_nothing_else_is_lost() {
    let world = World::single();
    let text = users(0..3)
        + "{\"key\":\"user:3\",\"value\":{\"id\":3,\"name\":\"User 3\"}\n\n"
        + r#"{"key":"user:4","value":{"id":4,"name":"User 4"}}"#
        + "\n"
        + r#"{"key":"","value":1,"ttl":1}"#
        + "\n"
        + r#"{"key":"user:0","value":{"id":0,"name":"Another"},"ttl":1}"#
        + "\n"
        + &users(5..7);
    let sources: Vec<_> = (0..5_000).map(|id| format!("source:{id}")).collect();
    let wide = serde_json::json!({ "key": "wide:1", "value": 1, "ttl": 1, "from": sources });
    let lines = Lines::of(&format!("{text}{wide}\n"));
    let output = world.run(&["warm", &lines.name(), "--as-of", "now"]);
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{said}{error}");
    assert!(said.starts_with("5 stored, 1 with a key that came before, 4 wrong, as of "), "{said}");
    for words in [
        "users.jsonl:4: column 48: EOF while parsing an object",
        "users.jsonl:6: it has no \"ttl\"",
        "--ttl 5m",
        "users.jsonl:7: ",
        "mend: a line is an object: {\"key\"",
        "users.jsonl:11: ",
        "scopes cover the value, and 4,096 fit",
        "4 lines were wrong; all others are done",
        "mend them, and run it again with --as-of ",
    ] {
        assert!(error.contains(words), "{words:?} in {error}");
    }
    assert!(!error.contains('\x1b'), "{error:?}");
    let cache = world.cache();
    for id in [0, 1, 2, 5, 6] {
        assert_eq!(
            found(&world, &cache, &format!("user:{id}")),
            Some(user(id)),
            "the first line of a key counts"
        );
    }

    // The mended file: what is there is left as it is.
    let as_of = said.trim_end().rsplit_once(' ').expect("an epoch").1.to_owned();
    lines.write(&users(0..7));
    counted(&warms(&world, &lines.path(), &["--as-of", &as_of], 0), &[("stored", 2), ("there", 5)]);
    let output = world.run(&["warm", "/no/such/file", "--as-of", "now"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/file: No such file"));
    let output = world.run(&["warm", &lines.name()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--as-of"), "{output:?}");
}

/// The command reading from a pipe, so that it is known how far it is.
struct Fed {
    child: Child,
}

impl Fed {
    fn begin(world: &World, as_of: &str) -> Self {
        let mut command = world.command(&["warm", "-", "--as-of", as_of]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self { child: child.expect("it starts") }
    }

    fn feed(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("its input");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("it reads");
    }
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn stored(world: &World) -> usize {
    world.json(&["keys"], 0).len()
}

#[test]
fn it_goes_on_after_it_was_interrupted_and_after_it_was_killed() {
    let world = World::single();
    let (_cache, text) = (world.cache(), users(0..2_000));
    let begin = tip(&world);
    // Some lines more than are sent at once.
    let first: String = text.split_inclusive('\n').take(700).collect();
    let mut killed = Fed::begin(&world, "now");
    killed.feed(&first);
    until("the first lines are stored", || stored(&world) >= 500);
    killed.child.kill().expect("it runs");
    killed.child.wait().expect("it ends");
    let left = stored(&world);
    assert!((500..=700).contains(&left), "{left}");

    let mut interrupted = Fed::begin(&world, &begin);
    let more: String = text.split_inclusive('\n').take(1_300).collect();
    interrupted.feed(&more);
    until("more lines are stored", || stored(&world) >= 1_000);
    // It waits for more to read, which does not come while its input is open.
    let input = interrupted.child.stdin.take();
    let id = interrupted.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("it is there").success());
    let output = interrupted.child.wait_with_output().expect("it ends");
    drop(input);
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(6), "{said}{error}");
    assert!(
        error.contains("broken off behind line 1000") && error.contains(&format!("--as-of {begin}")),
        "{error}"
    );

    let lines = Lines::of(&text);
    let before = stored(&world) as u64;
    assert!((1_000..2_000).contains(&before), "{before}");
    let said = warms(&world, &lines.path(), &["--as-of", &begin], 0);
    counted(&said, &[("stored", 2_000 - before), ("there", before)]);
    assert_eq!(stored(&world), 2_000);
    let cache = world.cache();
    for id in [0, 499, 500, 699, 700, 1_300, 1_999] {
        assert_eq!(found(&world, &cache, &format!("user:{id}")), Some(user(id)));
    }
    let said = warms(&world, &lines.path(), &["--as-of", &begin, "--from-line", "1990"], 0);
    counted(&said, &[("stored", 0), ("there", 11)]);
}

#[test]
fn a_server_that_goes_or_refuses_or_loses_its_log() {
    let world = World::single();
    let (_cache, text) = (world.cache(), users(0..600));
    let mut fed = Fed::begin(&world, "now");
    fed.feed(&text);
    until("the first lines are stored", || stored(&world) >= 500);
    world.server().command::<()>(&["FLUSHALL"]);
    drop(fed.child.stdin.take());
    let output = fed.child.wait_with_output().expect("it ends");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{error}");
    assert!(error.contains("line 501, the invalidation log had reached"), "{error}");
    assert!(error.contains("read the values from their source once more"), "{error}");

    let world = World::single();
    let _cache = world.cache();
    let lines = Lines::users(0..10);
    world.server().set_config("maxmemory", "1");
    let output = world.run(&["warm", &lines.name(), "--as-of", "now"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{error}");
    assert!(
        error.contains("OOM") && error.contains("at line 1 of ") && error.contains("run it again"),
        "{error}"
    );
    world.server().set_config("maxmemory", "0");
    counted(&warms(&world, &lines.path(), &["--as-of", "now"], 0), &[("stored", 10)]);

    let mut fed = Fed::begin(&world, "now");
    fed.feed(&users(20..600));
    until("the first lines are stored", || stored(&world) >= 510);
    let World { server, .. } = world;
    drop(server);
    let began = Instant::now();
    drop(fed.child.stdin.take());
    let output = fed.child.wait_with_output().expect("it ends");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(3 | 6)), "{error}");
    assert!(
        error.contains("at line 501 of the standard input: ") && error.contains("run it again with --as-of"),
        "{error}"
    );
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[test]
fn servers_without_scripts_sealed_entries_and_large_values() {
    let without =
        RedisServer::builder().config("rename-command", "EVAL \"\"").config("rename-command", "EVALSHA \"\"");
    let large = "x".repeat(200_000);
    let lines =
        Lines::of(&(users(0..3) + &format!(r#"{{"key":"text:1","value":"{large}","ttl":60}}"#) + "\n"));
    let world = World::of(without.start());
    counted(&warms(&world, &lines.path(), &["--as-of", "now"], 0), &[("stored", 4)]);
    let cache = world.cache();
    assert_eq!(found(&world, &cache, "user:1"), Some(user(1)));
    assert_eq!(world.block_on(cache.get::<String>("text:1")).expect("a key"), Some(large));

    let key = "3f5e0c7b19d2a4886cf1e0b7d3a5924e7c18f6a0b2d4e6987a5b3c1d0e2f4a68";
    let name = "91c4d7e0a3b6f2518d0c9e7b4a1f6d3825e8c0b7f49a6d1320bcef5478a91d06";
    let world = World::single();
    let mut command = world.command(&["warm", &lines.name(), "--as-of", "now", "--json"]);
    let output =
        command.envs([("LARDER_SEAL_KEYS", key), ("LARDER_NAME_KEY", name)]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let of = |text| SealKey::from_hex(text).expect("a key");
    let builder = world.builder().seal(of(key)).hash_keys(of(name));
    let cache = world.block_on(builder.connect()).expect("it connects");
    assert_eq!(found(&world, &cache, "user:1"), Some(user(1)));
    let raw: Vec<String> = world.server().command(&["KEYS", "shop:e:*"]);
    assert!(raw.len() == 4 && raw.iter().all(|name| name.starts_with("shop:e:#")), "{raw:?}");
}
