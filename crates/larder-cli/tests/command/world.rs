//! A server or a Cluster with entries of a program in it, and the command beside it.

use std::{
    process::{Command, Output, Stdio},
    time::Duration,
};

use larder::{CacheExt, Codec, Compression, Policy, RedisCache, RedisCacheBuilder};
use larder_servers::{RedisCluster, RedisServer};
use serde_json::Value;

pub(crate) const PREFIX: &str = "shop";

/// A value with several fields, in an order that is not the alphabet's.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) id: u64,
}

pub(crate) fn user(id: u64) -> User {
    User { name: format!("User {id}"), id }
}

pub(crate) fn policy() -> Policy {
    Policy::ttl(Duration::from_secs(300))
}

pub(crate) fn tagged<T: Into<String>>(tags: impl IntoIterator<Item = T>) -> Policy {
    Policy::builder().ttl(Duration::from_secs(300)).tags(tags).build().expect("it is valid")
}

/// What a program connects to.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) server: Option<RedisServer>,
    pub(crate) cluster: Option<RedisCluster>,
    pub(crate) runtime: tokio::runtime::Runtime,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

impl World {
    pub(crate) fn single() -> Self {
        Self::of(RedisServer::start())
    }

    pub(crate) fn of(server: RedisServer) -> Self {
        Self { url: server.url(), server: Some(server), cluster: None, runtime: runtime() }
    }

    /// Without a server.
    pub(crate) fn of_none() -> Self {
        Self { url: String::new(), server: None, cluster: None, runtime: runtime() }
    }

    pub(crate) fn clustered() -> Self {
        let cluster = RedisCluster::start();
        let nodes: Vec<_> =
            cluster.servers().iter().take(3).map(|server| server.address().to_string()).collect();
        let url = format!("redis+cluster://{}", nodes.join(","));
        Self { url, server: None, cluster: Some(cluster), runtime: runtime() }
    }

    pub(crate) fn server(&self) -> &RedisServer {
        self.server.as_ref().expect("it is one server")
    }

    pub(crate) fn builder(&self) -> RedisCacheBuilder {
        RedisCache::builder().url(&self.url).prefix(PREFIX).deadline(Duration::from_secs(5))
    }

    /// A program's cache.
    pub(crate) fn cache(&self) -> RedisCache {
        self.block_on(self.builder().connect()).expect("it connects")
    }

    pub(crate) fn cache_with(&self, codec: impl Codec, compression: Compression) -> RedisCache {
        let builder = self.builder().codec(codec).compression(compression);
        self.block_on(builder.connect()).expect("it connects")
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Stores users under `user:<id>`.
    pub(crate) fn fill(&self, cache: &RedisCache, ids: std::ops::Range<u64>) {
        self.block_on(async {
            for id in ids {
                cache.insert(&format!("user:{id}"), &user(id), policy()).await.expect("it is stored");
            }
        });
    }

    /// The command with these arguments, not started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
        command.args(arguments).stdin(Stdio::null());
        command.env("REDIS_URL", &self.url).env("LARDER_PREFIX", PREFIX);
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it starts")
    }

    /// Runs it, expects an exit code, and returns what it printed.
    #[track_caller]
    pub(crate) fn prints(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}\n{error}");
        text
    }

    /// The same with `--json`: an object a line.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
        let text = self.prints(&arguments, code);
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }
}
