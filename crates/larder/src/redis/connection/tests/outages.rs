use larder_servers::{Data, Direction, Fault, Proxy, RedisServer};

use super::*;

const LIMIT: Duration = Duration::from_millis(250);

/// Attempts to connect are a second and a half apart at most, and one may just have begun in vain.
const BACK: Duration = Duration::from_secs(8);

/// Whether it was not connected because the system said that no server listens there.
fn is_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let system = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    system.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down_at_the_start_and_up_later() {
    let server = RedisServer::start();
    server.kill();
    let connections = to(server.url());
    let began = Instant::now();
    let reason = unavailable(connections.call(&get("k")).await);
    assert!(matches!(&reason, Unavailable::Connect(Some(cause)) if is_refused(&**cause)), "{reason:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "a refused connection is an answer");
    let error = connections.ready().await.unwrap_err();
    assert!(error.is_connect() && error.to_string().contains(&server.address().to_string()), "{error}");
    opened(&connections, &get("k"), LIMIT).await;
    server.restart(Data::Lost);
    let took = recovered(&connections, &get("k")).await;
    assert!(took < BACK, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_and_restarted_under_200_callers() {
    let server = RedisServer::start();
    let connections = to(server.url());
    connections.ready().await.unwrap();
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let (connections, over) = (connections.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let (mut longest, mut last) = (Duration::ZERO, false);
                while !over.load(std::sync::atomic::Ordering::Relaxed) || !last {
                    let (reply, late) = overdue(LIMIT, connections.call(&get("k"))).await;
                    last = reply.is_ok();
                    longest = longest.max(late);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                longest
            })
        })
        .collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::task::block_in_place(|| server.kill());
        opened(&connections, &get("k"), LIMIT).await;
        let mut calls: Vec<_> = Vec::new();
        for _ in 0..50 {
            let began = Instant::now();
            assert!(connections.call(&get("k")).await.is_err());
            calls.push(began.elapsed());
        }
        calls.sort_unstable();
        assert!(calls[25] < LIMIT / 10, "none waits: {calls:?}");
        tokio::task::block_in_place(|| server.restart(Data::Lost));
        let took = recovered(&connections, &get("k")).await;
        assert!(took < BACK, "{took:?}");
    }
    recovered(&connections, &get("k")).await;
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    for caller in callers {
        let longest = tokio::time::timeout(DEADLINE, caller).await.expect("every caller is served again");
        let longest = longest.unwrap();
        assert!(longest < SLACK, "{longest:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server() {
    let server = RedisServer::start();
    let connections = to(server.url());
    recovered(&connections, &set("k", "v")).await;
    server.pause();
    opened(&connections, &get("k"), LIMIT).await;
    assert!(!connections.states()[0].connected);
    let reason = unavailable(connections.call(&get("k")).await);
    assert!(matches!(reason, Unavailable::Open(_)), "{reason:?}");
    server.resume();
    let took = recovered(&connections, &get("k")).await;
    assert!(took < BACK, "{took:?}");
    assert_eq!(connections.call(&get("k")).await.unwrap(), bulk("v"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_whose_callers_go_away_before_the_deadline() {
    let server = RedisServer::start();
    let connections = to(server.url());
    recovered(&connections, &get("k")).await;
    server.pause();
    let call = async |count: u32| match count % 2 {
        0 => connections.call(&get("k")).await,
        _ => connections.call_many(vec![get("k"), get("l")]).await.remove(0),
    };
    for count in 0.. {
        assert!(count < 20, "each caller waits in vain, as long as it has time");
        let limited = tokio::time::timeout(Duration::from_millis(100), call(count)).await;
        if let Ok(Err(CommandFailure::Unavailable(Unavailable::Open(_)))) = limited {
            break;
        }
    }
    server.resume();
    let took = recovered(&connections, &get("k")).await;
    assert!(took < BACK, "{took:?}");
}

/// The first attempt to connect is waited for, and comes to no end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_accepts_no_connection_and_callers_that_go_away_before_the_deadline() {
    let server = RedisServer::start();
    server.pause();
    let connections = Connections::new(config(builder(server.url()).connect_timeout(DEADLINE)), None);
    for count in 0.. {
        assert!(count < 20, "each caller waits in vain, as long as it has time");
        let limited = tokio::time::timeout(Duration::from_millis(100), connections.call(&get("k"))).await;
        if let Ok(Err(CommandFailure::Unavailable(Unavailable::Open(_)))) = limited {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_network_does() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address());
    let settings = builder(proxy.url()).connect_timeout(Duration::from_millis(500));
    let connections = Connections::new(config(settings), None);
    recovered(&connections, &set("k", "v")).await;

    proxy.blackhole();
    opened(&connections, &get("k"), LIMIT).await;
    proxy.heal();
    assert!(recovered(&connections, &get("k")).await < BACK);

    for way in [Direction::ToServer, Direction::ToClient] {
        proxy.half_close(way);
        let (_, late) = overdue(LIMIT, connections.call(&get("k"))).await;
        assert!(late < SLACK, "{late:?}");
        assert!(recovered(&connections, &get("k")).await < BACK);
        proxy.heal();
    }

    proxy.cut();
    recovered(&connections, &get("k")).await;

    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_millis(40)));
    assert!(recovered(&connections, &get("k")).await >= Duration::from_millis(40), "late is not failed");
    proxy.set(Direction::ToClient, Fault::Delay(Duration::from_secs(1)));
    opened(&connections, &get("k"), LIMIT).await;
    proxy.heal();
    assert!(recovered(&connections, &get("k")).await < BACK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_end_with_the_cache() {
    let server = RedisServer::start();
    let connections = to(server.url());
    recovered(&connections, &get("k")).await;
    drop(connections);
    tokio::time::timeout(DEADLINE, async {
        while server.command::<String>(&["CLIENT", "LIST"]).contains("name=larder ") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}
