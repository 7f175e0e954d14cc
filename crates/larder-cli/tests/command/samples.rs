//! The samples in `docs/operate/command.md`. Each command there still runs, and still says what stands there, numbers
//! aside. `LARDER_SAMPLES=1 cargo test -p larder-cli --test command samples` writes them anew, all of them from one run.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use larder::{CacheExt, Heartbeat, MemoryCache, Policy, Scope, TieredCache, heartbeat};
use larder_servers::{RedisServer, until};
use tempfile::TempDir;

use crate::world::{World, tagged};

/// What a sample begins with.
const BEGIN: &str = "```text\n$ larder ";
const END: &str = "\n```";

mod shop {
    pub(super) mod users {
        use larder::{TieredCache, cached};

        use crate::world::{self, User};

        #[cached(ttl = 300, key = "user:<id>", cache = cache, skip(cache))]
        pub(in crate::samples) async fn user(cache: &TieredCache, id: u64) -> Result<User, String> {
            Ok(world::user(id))
        }
    }
}
use shop::users::user;

/// A program of two processes, which has users, a dashboard that was invalidated, and a report.
struct Shop {
    world: World,
    folder: TempDir,
    web: [(TieredCache, Heartbeat); 2],
}

impl Shop {
    fn open() -> Self {
        let server =
            RedisServer::builder().config("maxmemory", "4gb").config("maxmemory-policy", "volatile-lru");
        let world = World::of(server.start());
        let web = ["web-1", "web-2"].map(|name| process(&world, name));
        world.block_on(async {
            let cache = &web[0].0;
            cache.invalidate("user:7").await;
            for id in 0..40 {
                user(cache, id).await.expect("it is computed");
            }
            let dashboard = async || user(cache, 7).await.map(|user| format!("Dashboard of {}", user.name));
            cache.get_or_compute("dashboard:1", tagged(["org:1"]), dashboard).await.expect("it is computed");
            let report = Policy::ttl(Duration::from_secs(660));
            cache.insert("report:2026-11", &"42 orders; ".repeat(1_400), report).await.expect("it is stored");
        });
        // Written behind the calls.
        until("all is stored", || (world.json(&["keys"], 0).len() == 42).then_some(()));
        world.block_on(async { web[0].0.invalidate(Scope::tag("org:1")).await });
        until("both processes have told of a window", || {
            let top = world.json(&["top"], 0).remove(0);
            let processes = top["processes"].as_array().expect("a list");
            let read = processes.iter().filter(|of| of["reads_per_second"].as_f64() > Some(0.0)).count();
            let hot = world.run(&["hot", "2"]).stdout.split(|byte| *byte == b'\n').count();
            (read == 2 && hot >= 3).then_some(())
        });
        let folder = TempDir::new().expect("a folder");
        let mut lines = String::new();
        for id in 100..103 {
            let line = format!(
                r#"{{"key": "user:{id}", "value": {{"name": "User {id}", "id": {id}}}, "ttl": "5m"}}"#
            );
            writeln!(lines, "{line}").expect("it is written");
        }
        std::fs::write(folder.path().join("users.jsonl"), lines).expect("it is written");
        Self { world, folder, web }
    }

    fn command(&self, line: &str) -> Command {
        let words: Vec<_> = line.split(' ').map(|word| word.trim_matches('\'')).collect();
        let mut command = self.world.command(&words);
        command.current_dir(self.folder.path());
        command
    }

    /// What a command says: first what is beside its answer.
    fn says(&self, line: &str) -> String {
        let mut child =
            self.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut beside = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut said = String::new();
        if line.starts_with("tail") {
            beside.read_line(&mut said).expect("it is text");
            let cache = &self.web[0].0;
            self.world.block_on(async {
                cache.invalidate("user:7").await;
                cache.invalidate("dashboard:*").await;
                cache.invalidate(Scope::tag("org:2")).await;
                cache.mark_stale("user:*").await;
            });
        }
        beside.read_to_string(&mut said).expect("it is text");
        let output = child.wait_with_output().expect("it ends");
        said.push_str(&String::from_utf8(output.stdout).expect("it is text"));
        let lines: Vec<_> = said.trim_end().lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}

fn process(world: &World, name: &str) -> (TieredCache, Heartbeat) {
    let cache = TieredCache::new(MemoryCache::new(1_000), world.cache());
    let beating =
        world.block_on(async { heartbeat(&cache, name, Duration::from_secs(1)) }).expect("it is shared");
    let reads = cache.clone();
    world.runtime.spawn(async move {
        loop {
            for call in 0..500 {
                let _ = user(&reads, if call % 8 == 0 { 1 } else { 7 }).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    (cache, beating)
}

/// The order in which commands run: those that change something last.
fn rank(line: &str) -> usize {
    let order = ["tail", "warm", "invalidate", "clear", "bench"];
    order.iter().position(|word| line.starts_with(word)).map_or(0, |at| at + 1)
}

/// The words of a sample's first line, without numbers.
fn words(said: &str) -> Vec<&str> {
    let first = said.lines().next().unwrap_or_default();
    let words = first.split(|letter: char| !letter.is_alphabetic());
    words.filter(|word| word.len() > 2 && !word.starts_with("tmp")).collect()
}

#[test]
fn the_samples_are_what_the_commands_say() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate/command.md");
    let mut text = std::fs::read_to_string(&path).expect("the page");
    let writes = std::env::var_os("LARDER_SAMPLES").is_some();
    let samples = text.split(BEGIN).skip(1).map(|sample| sample.split_once(END).expect("its end").0);
    let split = |sample: &str| sample.split_once('\n').map(|(line, said)| (line.to_owned(), said.to_owned()));
    let mut samples: Vec<_> = samples.map(|sample| split(sample).expect("what it says")).collect();
    assert!(samples.len() >= 15, "{samples:?}");
    samples.sort_by_key(|(line, _)| rank(line));
    let shop = Shop::open();
    if writes {
        // As a program that has been running for a while.
        std::thread::sleep(Duration::from_secs(12));
    }
    for (line, before) in samples {
        if line.starts_with("bench") && !writes {
            continue; // It takes seconds, and has a test of its own.
        }
        if !writes && rank(&line) == 0 {
            // A heartbeat may be late beside a busy machine.
            let what = format!("`larder {line}` says what its sample does: write the samples anew");
            until(&what, || (words(&shop.says(&line)) == words(&before)).then_some(()));
            continue;
        }
        let said = shop.says(&line);
        if !writes {
            assert_eq!(words(&said), words(&before), "larder {line}: write the samples anew\n{said}");
            continue;
        }
        let (old, new) = (format!("{BEGIN}{line}\n{before}{END}"), format!("{BEGIN}{line}\n{said}{END}"));
        assert!(text.contains(&old), "{old}");
        text = text.replace(&old, &new);
    }
    if writes {
        std::fs::write(path, text).expect("it is written");
    }
}
