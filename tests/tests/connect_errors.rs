//! What a program reads when it cannot connect: once, in one line, with what mends it and what it came from.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    error::Error as StdError,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use larder::{Error, RedisCache, RedisCacheBuilder};
use larder_servers::{Ability, Certificates, RedisCluster, RedisSentinel, RedisServer, lacks};
use larder_tests::{
    caches::{eventually, ms},
    warnings,
};

const SECRET: &str = "hunter2";

fn builder(url: impl Into<String>) -> RedisCacheBuilder {
    RedisCache::builder().url(url).connect_attempts(1).connect_timeout(Duration::from_secs(5))
}

/// The error of connecting, whose whole chain is as it should be.
async fn refused(builder: RedisCacheBuilder) -> Error {
    let error = builder.connect().await.expect_err("it cannot be connected to");
    let chain: Vec<_> = chain(&error).map(ToString::to_string).collect();
    for (index, text) in chain.iter().enumerate() {
        assert!(!text.contains(['\n', '\r']), "one line: {text:?}");
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.is_empty(), "{chain:?}");
        if let Some(source) = chain.get(index + 1) {
            assert!(!text.contains(source.as_str()), "{text:?} repeats {source:?}");
        }
    }
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    assert_eq!(chain.join(" / ").matches("cannot connect").count(), 1, "{chain:?}");
    assert!(error.is_connect(), "{error}");
    error
}

fn chain(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |&error| error.source())
}

/// What is below the error itself.
fn causes(error: &Error) -> String {
    chain(error).skip(1).map(ToString::to_string).collect::<Vec<_>>().join(" / ")
}

#[track_caller]
fn says(error: &Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

/// A port on which nothing listens.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_refused_is_not_always_missing() {
    let server = RedisServer::builder().password(SECRET).user("few on >pw ~* &* +@all -select").start();
    let error = refused(builder(format!("redis://{}/3?prefix=p", server.address()))).await;
    says(&error, &["it asks for a password", "set the user and the password"]);
    assert!(!error.to_string().contains("database"), "{error}");
    assert!(causes(&error).contains("NOAUTH"), "{error:?}");

    let error = refused(builder(format!("{}/3?prefix=p", server.url_as("few", "pw")))).await;
    says(&error, &["too few rights", "ACL SETUSER few +select"]);

    let error = refused(builder(format!("{}/99?prefix=p", server.url()))).await;
    says(&error, &["database 99 was refused", "name a database that the server has"]);
    assert!(causes(&error).contains("out of range"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_error() {
    let server = RedisServer::builder().password("right").start();
    let url = server.url().replace(":right@", &format!(":{SECRET}@"));
    let error = refused(builder(&url)).await;
    says(&error, &["the user or the password was refused", "set the user and the password"]);
    assert!(causes(&error).contains("WRONGPASS"), "{error:?}");

    // A server that does not know a command repeats its words.
    let server = RedisServer::builder().config("rename-command", "AUTH \"\"").start();
    let error = refused(builder(format!("redis://:{SECRET}@{}", server.address()))).await;
    says(&error, &["the user or the password was refused"]);
    assert!(causes(&error).contains("unknown command"), "{error:?}");
}

/// Python's, which every machine for tests has.
struct HttpServer(Child, SocketAddr);

impl HttpServer {
    fn start() -> Option<Self> {
        let address = free();
        let child = Command::new("python3")
            .args(["-m", "http.server", &address.port().to_string(), "--bind", "127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        larder_servers::until("an HTTP server", || TcpStream::connect(address).ok());
        Some(Self(child, address))
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[expect(clippy::print_stderr, reason = "what was not tested is to be seen")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_no_redis() {
    let Some(server) = HttpServer::start() else { return skipped("there is no python3") };
    let error = refused(builder(format!("redis://:{SECRET}@{}", server.1))).await;
    says(&error, &["does not speak Redis' protocol", "HTTP server", "check the host and the port"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_says_nothing_is_told_once() {
    warnings::listen();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let builder = builder(format!("redis://{address}?prefix=silent")).connect_timeout(ms(300));
    let error = refused(builder.clone()).await;
    says(&error, &[&format!("cannot connect to {address}: no answer within 300ms")]);
    assert_eq!(causes(&error), "");

    is_told_once(builder, address, "silent:log").await;
}

/// Of an outage that goes on: one warning, of the server, and none of the log.
async fn is_told_once(builder: RedisCacheBuilder, address: SocketAddr, log: &str) {
    let told = || [&address.port().to_string(), log].map(|word| warnings::heard(&[word])).concat();
    let before = told().len();
    let cache = builder.connect_lazily().unwrap();
    eventually(async || told().len() > before).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(told().len(), before + 1, "{:#?}", told());
    drop(cache);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_listens() {
    warnings::listen();
    let address = free();
    let builder = builder(format!("redis://{address}?prefix=nothing"));
    let error = refused(builder.clone()).await;
    says(&error, &[&format!("cannot connect to {address}: no server listens there")]);
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(cause.map(io::Error::kind), Some(io::ErrorKind::ConnectionRefused), "{error:?}");

    is_told_once(builder, address, "nothing:log").await;
}

/// The order of what is told when a server goes that was there.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_is_told_of_once() {
    warnings::listen();
    let server = RedisServer::start();
    let cache = builder(format!("{}?prefix=goes", server.url())).connect().await.unwrap();
    server.kill();
    let told = || [&server.port().to_string(), "goes:log"].map(|word| warnings::heard(&[word])).concat();
    eventually(async || !told().is_empty()).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(told().len(), 1, "{:#?}", told());
    drop(cache);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_none() {
    let error = refused(builder("redis://no-such-host.invalid")).await;
    says(&error, &["no-such-host.invalid:6379", "leads to no address"]);
    assert!(error.source().is_some_and(|source| source.is::<io::Error>()), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_none() {
    let error = refused(builder("redis+unix:///no/such/socket")).await;
    says(&error, &["/no/such/socket", "no such socket"]);
    assert!(error.source().is_some_and(|source| source.is::<io::Error>()), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_where_others_are_expected() {
    let server = RedisServer::start();
    let address = server.address();
    let error = refused(builder(format!("redis+sentinel://{address}/orders"))).await;
    says(&error, &[&format!("the sentinel {address}"), "it is no Sentinel", &format!("redis://{address}")]);
    assert!(!error.to_string().contains("own name"), "nothing was renamed: {error}");

    let error = refused(builder(format!("redis+cluster://{address}"))).await;
    says(&error, &["it is not a node of a cluster", &format!("redis://{address}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_where_others_are_expected() {
    let sentinel = RedisSentinel::start();
    let address = sentinel.sentinels()[0].address();
    let url = format!("redis+sentinel://{address}/{}", RedisSentinel::SERVICE);
    for path in ["", "/3"] {
        let error = refused(builder(format!("redis://{address}{path}"))).await;
        says(&error, &["it is a Sentinel", &url]);
    }
    let error = refused(builder(format!("redis+cluster://{address}"))).await;
    says(&error, &["it is not a node of a cluster", &format!("redis+sentinel://{address}/")]);

    let error = refused(builder(format!("redis+sentinel://{address}/orders"))).await;
    says(&error, &["no master named \"orders\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_where_others_are_expected() {
    let cluster = RedisCluster::start();
    let address = cluster.server(0).address();
    let error = refused(builder(format!("redis://{address}"))).await;
    says(&error, &["it is a node of a cluster", &format!("redis+cluster://{address}")]);
    let error = refused(builder(format!("redis+sentinel://{address}/orders"))).await;
    says(&error, &["it is no Sentinel", &format!("redis+cluster://{address}")]);
    let error = refused(builder(format!("redis+cluster://{address}/3"))).await;
    assert!(error.to_string().contains("database 3 was refused"), "{error}");
    says(&error, &["leave it out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_missing_rights_are_a_line_to_paste() {
    let server = RedisServer::builder().user("app on >pw -@all ~other:* resetchannels").start();
    let connect = || builder(format!("{}?prefix=shop", server.url_as("app", "pw")));
    let mut pasted = 0;
    loop {
        match connect().connect().await {
            Ok(_) => break,
            Err(error) => {
                let text = error.to_string();
                let line = text.split("run ").nth(1).and_then(|rest| rest.split(" (").next());
                let line = line.unwrap_or_else(|| panic!("no line to paste: {text}"));
                if pasted == 0 {
                    for right in ["+info", "+time", "+get", "+set", "+eval", "+evalsha"] {
                        assert!(line.split(' ').any(|word| word == right), "{right}: {line}");
                    }
                }
                server.command::<()>(&line.split(' ').collect::<Vec<_>>());
                pasted += 1;
                assert!(pasted < 12, "{text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_where_there_is_none_and_the_other_way_round() {
    if lacks(Ability::Tls) {
        return;
    }
    let plain = RedisServer::start();
    let error = refused(builder(format!("rediss://:{SECRET}@{}", plain.address()))).await;
    says(&error, &["TLS handshake", "write redis://"]);

    let encrypted = RedisServer::builder().tls().start();
    let doubting = builder(encrypted.url()).tls_roots(Certificates::make().authority());
    let error = refused(doubting).await;
    says(&error, &["certificate", "tls_roots"]);
    // Both authorities have one name: which of the two is said depends on their keys.
    assert!(
        ["UnknownIssuer", "BadSignature"].iter().any(|cause| causes(&error).contains(cause)),
        "{error:?}"
    );

    let error = refused(builder(encrypted.url().replace("rediss://", "redis://"))).await;
    says(&error, &["rediss://"]);
}

/// What is wrong with a certificate is in the chain too.
#[test]
fn settings_keep_their_causes() {
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = builder("rediss://h").tls_roots(pem).connect_lazily().unwrap_err();
    assert!(error.is_invalid_configuration(), "{error}");
    let cause = error.source().expect("it came from one").to_string();
    assert!(!error.to_string().contains(&cause), "{error}: {cause}");
}

/// What the runtime lacks, and not that the server were away.
#[test]
fn a_runtime_without_drivers_is_told_what_it_lacks() {
    use tokio::runtime::Builder;
    let server = RedisServer::start();
    let refused = |mut runtime: Builder| {
        let runtime = runtime.build().unwrap();
        runtime.block_on(async { builder(server.url()).connect().await.unwrap_err() })
    };
    let mut without_timers = Builder::new_current_thread();
    without_timers.enable_io();
    let error = refused(without_timers);
    says(&error, &["timers", "`enable_time`", "`enable_all`"]);
    assert!(error.is_invalid_configuration(), "{error:?}");

    let mut without_io = Builder::new_multi_thread();
    without_io.enable_time();
    let error = refused(without_io);
    says(&error, &["I/O", "`enable_io`", "`enable_all`"]);
    assert!(error.is_invalid_configuration(), "{error:?}");
}
