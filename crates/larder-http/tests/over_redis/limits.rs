//! A rate limit in front of two real processes that share it through Sentinel: never more requests than is documented,
//! and each is answered, also while another master takes over.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::{Router, routing::get as route};
use larder::{
    MemoryCache, RedisCache, TieredCache,
    limit::{FailureMode, Limiter, Rate},
};
use larder_http::RateLimit;
use larder_servers::RedisSentinel;
use tokio::{net::TcpListener, task::JoinSet};

use crate::support::client::get;

const URL: &str = "LARDER_LIMITS_URL";
/// A second, and at once.
const RATE: u32 = 20;

/// Ends with the test.
struct Node(Child, SocketAddr);

impl Node {
    fn start(url: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "limits::node", "--nocapture"]).env(URL, url);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.split("listens at ").nth(1).map(str::to_owned));
        // What else it says is read, so that it is not held up.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child, address.expect("it listens").parse().unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the test below"]
async fn node() {
    let url = std::env::var(URL).unwrap();
    let redis = RedisCache::builder().url(url).deadline(Duration::from_millis(250)).connect().await.unwrap();
    let cache = TieredCache::new(MemoryCache::new(10), redis);
    let limiter = Limiter::new(cache, Rate::per_second(RATE)).failure_mode(FailureMode::Closed);
    let app = Router::new().route("/", route(async || "served"));
    let app = app.layer(RateLimit::tower(limiter, |_| Some("all".to_owned())));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    println!("listens at {}", listener.local_addr().unwrap());
    axum::serve(listener, app).await.unwrap();
}

/// Asks both until `end`: how many were served, and how many refused because of the rate.
async fn ask(nodes: &[Node], end: Instant) -> (u32, u32) {
    let mut asking = JoinSet::new();
    for Node(_, address) in nodes.iter().cycle().take(8) {
        let address = *address;
        asking.spawn(async move {
            let (mut served, mut refused) = (0, 0);
            while Instant::now() < end {
                let response = tokio::time::timeout(Duration::from_secs(10), get(address, "/", &[]));
                let response = response.await.expect("each request is answered");
                match response.status {
                    200 => served += 1,
                    429 => {
                        assert!(
                            response.header("retry-after").is_some()
                                && response.header("ratelimit").is_some()
                        );
                        refused += 1;
                    }
                    // While there is no master.
                    503 => assert_eq!(response.header("retry-after").as_deref(), Some("1")),
                    other => panic!("{other}: {}", response.text()),
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            (served, refused)
        });
    }
    asking.join_all().await.into_iter().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_hold_a_limit_through_a_failover() {
    let sentinel = tokio::task::spawn_blocking(RedisSentinel::start).await.unwrap();
    let hosts: Vec<_> = sentinel.urls().iter().map(|url| url.replace("redis://", "")).collect();
    let url = format!("redis+sentinel://{}/{}", hosts.join(","), RedisSentinel::SERVICE);
    let nodes = [Node::start(&url), Node::start(&url)];
    let most = |begun: Instant, bursts: u32| {
        f64::from(RATE * bursts + 1) + f64::from(RATE) * begun.elapsed().as_secs_f64()
    };

    let begun = Instant::now();
    let (served, refused) = ask(&nodes, begun + Duration::from_secs(1)).await;
    println!("quiet: {served} served, {refused} refused in {:?}", begun.elapsed());
    assert!(f64::from(served) <= most(begun, 1) && served >= RATE && refused > 0);

    let begun = Instant::now();
    let failover = tokio::task::spawn_blocking(move || {
        sentinel.kill_master();
        sentinel
    });
    let (served, _) = ask(&nodes, begun + Duration::from_secs(3)).await;
    println!("failover: {served} served in {:?}", begun.elapsed());
    // The new master may lack what the old one admitted last.
    assert!(f64::from(served) <= most(begun, 2));

    let sentinel = failover.await.unwrap();
    let back = Instant::now();
    while get(nodes[0].1, "/", &[]).await.status == 503 || get(nodes[1].1, "/", &[]).await.status == 503 {
        assert!(back.elapsed() < Duration::from_secs(30), "it goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let begun = Instant::now();
    let (served, refused) = ask(&nodes, begun + Duration::from_secs(1)).await;
    println!("afterwards: {served} served, {refused} refused in {:?}", begun.elapsed());
    assert!(f64::from(served) <= most(begun, 1) && served > 0 && refused > 0);
    drop(sentinel);
}
