use ::redis::ServerErrorKind;
use larder_servers::RedisServer;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_and_their_errors() {
    let server = RedisServer::start();
    let connections = Connections::new(config(builder(server.url()).connections(3).database(2)), None);
    let server_info = connections.ready().await.unwrap();
    assert!(server_info.version >= (6, 2, 0) && server_info.replication_id.len() == 40);
    assert_eq!(server_info.eviction.as_deref(), Some("noeviction"));
    assert_eq!(connections.call(&set("k", "v")).await.unwrap(), Value::Okay);
    let replies =
        connections.call_many(vec![get("k"), Command::new("LPUSH").key("k").arg("x"), get("no")]).await;
    assert_eq!(*replies[0].as_ref().unwrap(), bulk("v"));
    assert!(matches!(&replies[1], Err(CommandFailure::Refused(error)) if error.code() == "WRONGTYPE"));
    assert_eq!(*replies[2].as_ref().unwrap(), Value::Nil);
    let reply = connections.call(&Command::new("EVALSHA").arg("0".repeat(40)).arg(0)).await;
    let Err(CommandFailure::Refused(error)) = reply else { panic!("{reply:?}") };
    assert_eq!(error.kind(), Some(ServerErrorKind::NoScript));
    let clients: String = server.command(&["CLIENT", "LIST"]);
    assert!(clients.contains("name=larder ") && clients.contains("db=2"), "{clients}");
    let state = &connections.states()[0];
    assert_eq!((state.breaker, state.connected), (crate::redis::breaker::BreakerState::Closed, true));
    assert_eq!(state.server, server.address().to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_commands_in_one_batch_and_64_mib_in_one_value() {
    let server = RedisServer::start();
    let connections = Connections::new(config(builder(server.url()).deadline(Duration::from_secs(10))), None);
    let sets = (0..100_000).map(|number| set(&format!("k{number}"), &number.to_string())).collect();
    assert!(connections.call_many(sets).await.iter().all(Result::is_ok));
    let gets = (0..100_000).map(|number| get(&format!("k{number}"))).collect();
    let replies = connections.call_many(gets).await;
    assert_eq!(replies.len(), 100_000);
    for (number, reply) in replies.into_iter().enumerate() {
        assert_eq!(reply.unwrap(), bulk(&number.to_string()));
    }
    let large = "x".repeat(64 << 20);
    connections.call(&set("large", &large)).await.unwrap();
    assert_eq!(connections.call(&get("large")).await.unwrap(), bulk(&large));
}

/// What this layer sends, with what the test itself uses.
const LEAST: &str = "app on >secret ~* resetchannels -@all +info +time +get +set";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_the_least_rights() {
    let server = RedisServer::builder().user(LEAST).start();
    let connections = to(server.url_as("app", "secret"));
    connections.ready().await.unwrap();
    assert_eq!(connections.call(&set("k", "v")).await.unwrap(), Value::Okay);
    assert_eq!(refused(connections.call(&Command::new("FLUSHALL")).await), "NOPERM");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_password_is_a_clear_error_without_the_password() {
    let server = RedisServer::builder().password("right").start();
    let url = |secret: &str| server.url().replace(":right@", secret);
    for (secret, reason) in [
        (":hunter2@", "password was refused"),
        ("default:@", "password was refused"),
        ("", "it asks for a password"),
    ] {
        let began = Instant::now();
        let error = to(url(secret)).ready().await.unwrap_err();
        assert!(error.is_connect());
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(2), "nothing is tried twice");
    }
    to(server.url()).ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_memory_and_read_only() {
    let server = RedisServer::start();
    let connections = to(server.url());
    connections.call(&set("k", "v")).await.unwrap();
    server.set_config("maxmemory", "1");
    for _ in 0..20 {
        assert_eq!(refused(connections.call(&set("k", "v")).await), "OOM");
    }
    assert_eq!(connections.call(&get("k")).await.unwrap(), bulk("v"), "the breaker is closed");
    server.set_config("maxmemory", "0");

    server.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    // Becoming a replica closes connections; whichever came first, it is not used until it is a master.
    tokio::time::timeout(DEADLINE, async {
        while connections.call(&get("k")).await.is_ok() {
            let _ = connections.call(&set("k", "w")).await;
        }
    })
    .await
    .unwrap();
    let error = to(server.url()).ready().await.unwrap_err();
    assert!(error.to_string().contains("not a master"), "{error}");
    server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    recovered(&connections, &set("k", "w")).await;
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_with_an_authority_of_our_own() {
    if larder_servers::lacks(larder_servers::Ability::Tls) {
        return;
    }
    let server = RedisServer::builder().tls().start();
    let roots = server.certificates().unwrap().authority().to_owned();
    let trusting = Connections::new(config(builder(server.url()).tls_roots(roots)), None);
    trusting.ready().await.unwrap();
    assert_eq!(trusting.call(&set("k", "v")).await.unwrap(), Value::Okay);

    let other = larder_servers::Certificates::make().authority().to_owned();
    let doubting = builder(server.url()).tls_roots(other).connect_attempts(1);
    let error = Connections::new(config(doubting), None).ready().await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn two_runtimes_one_after_the_other() {
    let server = RedisServer::start();
    let connections = to(server.url());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime().block_on(connections.call(&set("k", "v"))).unwrap(), Value::Okay);
    for _ in 0..3 {
        let value = runtime().block_on(connections.call(&get("k")));
        assert_eq!(value.unwrap(), bulk("v"), "not even the first call fails");
    }
    // A runtime that is there, and is not driven.
    let idle = runtime();
    idle.block_on(connections.call(&get("k"))).unwrap();
    runtime().block_on(recovered(&connections, &get("k")));

    let command = get("k");
    let mut call = std::pin::pin!(connections.call(&command));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(reply) = call.as_mut().poll(&mut context) else { panic!("it waits") };
    assert!(matches!(unavailable(reply), Unavailable::NoRuntime));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_has_a_connection_of_its_own() {
    let server = RedisServer::start();
    let config = config(builder(server.url()).client_name("shop"));
    let mut log = connect_to_log(&config, "shop:log", "-log", &question()).await.unwrap().dialed;
    let clients: String = server.command(&["CLIENT", "LIST"]);
    assert!(clients.contains("name=shop-log"), "{clients}");
    let read = "XREAD BLOCK 1200 STREAMS nothing $".split(' ');
    let read = read.fold(::redis::Cmd::new(), |mut command, word| {
        command.arg(word);
        command
    });
    assert_eq!(log.connection.send_packed_command(&read).await.unwrap(), Value::Nil, "no limit cuts it off");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    assert!(log.server_info.time_ms.abs_diff(now) < 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_before_it_is_admitted() {
    let server = RedisServer::start();
    let admitted = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = Arc::clone(&admitted);
    let admit: Admit = Arc::new(move |_| flag.load(std::sync::atomic::Ordering::Relaxed));
    let connections = Connections::new(config(builder(server.url())), Some(admit));
    for _ in 0..20 {
        // The first ones wait for it, until their deadline.
        let reason = unavailable(connections.call(&set("k", "v")).await);
        assert!(matches!(reason, Unavailable::Connect(_) | Unavailable::Deadline), "{reason:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // But for the question whether it may be.
    assert!(!server.command::<bool>(&["EXISTS", "k"]));
    admitted.store(true, std::sync::atomic::Ordering::Relaxed);
    let took = recovered(&connections, &set("k", "v")).await;
    assert!(took < Duration::from_millis(300), "{took:?}");
}
