//! What the program of a dashboard does, whichever framework it has: `tests/smoke.rs` of each runs this.

mod page;
mod service;

use std::{collections::BTreeMap, time::Duration};

use larder_servers::RedisServer;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use self::service::{DEADLINE, Service, command, eventually, send};

/// Few enough for queries to be quick.
const ROWS: u32 = 5_000;

async fn started() -> (Service, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::start(&directory.path().join("smoke.sqlite"), ROWS, &[]).await;
    (service, directory)
}

#[tokio::test]
async fn the_first_call_computes_and_the_second_is_a_hit() {
    let (service, _directory) = started().await;
    let first = service.get("/api/v1/metrics/revenue").await;
    first.assert_computed();
    let second = service.get("/api/v1/metrics/revenue").await;
    second.assert_hit();
    assert_eq!(second.text, first.text);
    assert_eq!(service.statements().await, 1);

    // The dashboard is made of six metrics, and one of them is there.
    let dashboard = service.get("/api/v1/dashboard").await.json();
    assert_eq!(dashboard["revenue"], first.json()["revenue"]);
    assert_eq!(service.statements().await, 6);

    // Without a cache, all six are asked for, and give the same.
    let uncached = service.get("/uncached/dashboard").await;
    assert_eq!(uncached.cache_status, "");
    for metric in ["traffic", "error_rate", "p95_latency", "active_users", "revenue", "top_customers"] {
        assert_eq!(uncached.json()[metric], dashboard[metric], "{metric}");
    }
    assert_eq!(service.statements().await, 12);
}

#[tokio::test]
async fn fifty_first_calls_at_once_compute_once() {
    let (service, _directory) = started().await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        calls.spawn(send(service.request(Method::GET, "/api/v1/metrics/top-customers?count=7")));
    }
    let answers = calls.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    assert_eq!(service.statements().await, 1);

    let stats = service.stats().await;
    let route = &stats["routes"]["/api/v1/metrics/top-customers"];
    let count = |source: &str| route[source]["count"].as_u64().unwrap_or(0);
    assert_eq!(count("computed"), 1, "{stats}");
    assert_eq!(count("joined") + count("hit"), 49, "{stats}");
}

#[tokio::test]
async fn a_change_of_a_user_drops_what_was_made_from_him() {
    let (service, _directory) = started().await;
    let made_from_him = ["/api/v1/users/7", "/api/v1/users", "/api/v1/metrics/revenue", "/api/v1/dashboard"];
    let others = ["/api/v1/users/8", "/api/v1/metrics/active-users"];
    for path in made_from_him.iter().chain(&others) {
        service.get(path).await.assert_computed();
    }
    for path in ["/api/v1/users/7", "/api/v1/users/8", "/api/v1/users"] {
        service.get(path).await.assert_hit();
    }

    let user = json!({ "name": "Grace Hopper", "country": "US" });
    let changed = service.send_json(Method::PUT, "/api/v1/users/7", &user).await;
    assert_eq!((changed.status, &changed.json()["name"]), (StatusCode::OK, &user["name"]));

    for path in others {
        service.get(path).await.assert_hit();
    }
    for path in made_from_him {
        service.get(path).await.assert_computed();
    }
    assert_eq!(service.get("/api/v1/users/7").await.json()["name"], user["name"]);
    assert_eq!(service.get("/api/v1/users").await.json()["users"][6]["name"], user["name"]);
}

#[tokio::test]
async fn users_come_and_go() {
    let (service, _directory) = started().await;
    let id = ROWS / 25 + 1;
    let path = format!("/api/v1/users/{id}");
    assert_eq!(service.get(&path).await.status, StatusCode::NOT_FOUND);

    // That there was no such user was cached too.
    let user = json!({ "name": "  Grace Hopper ", "country": "US" });
    let created = service.send_json(Method::POST, "/api/v1/users", &user).await;
    assert_eq!((created.status, &created.location), (StatusCode::CREATED, &path));
    let user = json!({ "id": id, "name": "Grace Hopper", "country": "US" });
    assert_eq!(service.get(&path).await.json(), user);
    let last_page = format!("/api/v1/users?page={}", id.div_ceil(20));
    assert_eq!(service.get(&last_page).await.json()["users"].as_array().unwrap().last(), Some(&user));

    let deleted = send(service.request(Method::DELETE, &path)).await;
    assert_eq!((deleted.status, &*deleted.text), (StatusCode::NO_CONTENT, ""));
    assert_eq!(service.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.get(&last_page).await.json()["users"], json!([]));
    assert_eq!(send(service.request(Method::DELETE, &path)).await.status, StatusCode::NOT_FOUND);
    let user = json!({ "name": "Unknown", "country": "US" });
    assert_eq!(service.send_json(Method::PUT, &path, &user).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_makes_no_sense_is_the_clients_mistake() {
    let (service, _directory) = started().await;
    for user in [
        json!({}),
        json!({ "name": "Ada" }),
        json!({ "name": " ", "country": "US" }),
        json!({ "name": "Ada", "country": "usa" }),
        json!({ "name": 7, "country": "US" }),
        json!({ "name": "Ada", "country": "US", "admin": true }),
    ] {
        let refused = service.send_json(Method::POST, "/api/v1/users", &user).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{user}");
        assert!(refused.json()["error"].is_string(), "{user}: {refused:?}");
    }
    let broken = service.request(Method::PUT, "/api/v1/users/7").header("content-type", "application/json");
    assert_eq!(send(broken.body("{")).await.status, StatusCode::BAD_REQUEST);
    for path in ["/api/v1/users/me", "/api/v1/users?page=0", "/api/v1/metrics/top-customers?count=all"] {
        let refused = service.get(path).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(refused.json()["error"].is_string(), "{path}: {refused:?}");
    }
    assert_eq!(service.get("/api/v1/nothing").await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.get("/nothing").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_database_is_kept_from_clients() {
    let (service, directory) = started().await;
    let database = directory.path().join("smoke.sqlite");
    let sql = "DROP TABLE transactions; ALTER TABLE users RENAME TO secret_table";
    rusqlite::Connection::open(database).unwrap().execute_batch(sql).unwrap();
    for path in ["/api/v1/users/7", "/api/v1/dashboard", "/uncached/dashboard"] {
        let failed = service.get(path).await;
        assert_eq!(failed.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!(failed.json(), json!({ "error": "something went wrong here" }), "{path}");
    }
}

#[tokio::test]
async fn it_tells_of_itself() {
    let (service, _directory) = started().await;
    assert_eq!(service.get("/health").await.text, "ok");
    let page = service.get("/").await;
    assert!(page.content_type.starts_with("text/html"), "{page:?}");
    assert!(page.text.contains("/admin/cache/stats"), "the page shows something else");
    assert!(page.server_timing.starts_with("service;dur="), "{page:?}");

    service.get("/api/v1/users/7").await.assert_computed();
    service.get("/api/v1/users/7").await.assert_hit();
    let metrics = service.get("/metrics").await;
    assert_eq!(metrics.content_type, "text/plain; version=0.0.4; charset=utf-8");
    let samples = parse(&metrics.text);
    assert_eq!(samples["database_statements_total"], 1.0);
    let of = |name: &str, label: &str| {
        let is_of = |sample: &&str| sample.starts_with(&format!("{name}{{")) && sample.contains(label);
        samples.iter().filter(|(sample, _)| is_of(sample)).map(|(_, value)| value).sum::<f64>()
    };
    assert!(of("cache_load_total", "result=\"success\"") >= 2.0); // the user, and the page
    assert_eq!(
        of("cache_load_total", "function=\"dashboard::users::user\",namespace=\"\",result=\"success\""),
        1.0
    );
    for source in ["computed", "hit"] {
        let labels = format!("route=\"/api/v1/users/{{id}}\",source=\"{source}\"");
        let count = samples[&*format!("http_request_duration_seconds_count{{{labels}}}")];
        assert_eq!(count, 1.0, "{source}");
        assert_eq!(samples[&*format!("http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}}")], count);
    }
}

/// What Prometheus is told of the only server.
fn redis_up(metrics: &str) -> f64 {
    let samples = parse(metrics);
    let up = samples.iter().find(|(sample, _)| sample.starts_with("cache_redis_up{"));
    *up.expect(metrics).1
}

/// Samples by name and labels, if every line is one, or says what those that follow are.
fn parse(text: &str) -> BTreeMap<&str, f64> {
    let (mut types, mut samples) = (BTreeMap::new(), BTreeMap::new());
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("# HELP ")) {
        if let Some(what) = line.strip_prefix("# TYPE ") {
            let (name, kind) = what.split_once(' ').expect(line);
            assert!(is_name(name) && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(types.insert(name, kind), None, "twice: {line}");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect(line);
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        assert!(types.contains_key(name) || family.is_some_and(|name| types.contains_key(name)), "{line}");
        for label in labels.strip_suffix('}').expect(line).split_terminator(',') {
            let (name, value) = label.split_once('=').expect(line);
            assert!(is_name(name) && value.len() > 1, "{line}");
            assert!(value.starts_with('"') && value.ends_with('"'), "{line}");
        }
        assert_eq!(samples.insert(sample, value.parse().expect(line)), None, "twice: {line}");
    }
    samples
}

#[tokio::test]
async fn it_finishes_what_is_under_way_when_it_is_stopped() {
    let directory = tempfile::tempdir().unwrap();
    // With so many rows, the six queries take a moment.
    let mut service = Service::start(&directory.path().join("stop.sqlite"), 200_000, &[]).await;
    let under_way = loop {
        let before = service.statements().await;
        let request = tokio::spawn(send(service.request(Method::GET, "/uncached/dashboard")));
        eventually("a query begins", async || service.statements().await > before).await;
        if !request.is_finished() {
            break request;
        }
    };
    let begin = Instant::now();
    service.terminate();
    assert_eq!(under_way.await.unwrap().status, StatusCode::OK);
    assert_eq!(service.exited().await.code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(8), "it took {:?}", begin.elapsed());
}

#[tokio::test]
async fn a_second_start_takes_the_database_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("again.sqlite");
    // Two at once make one database.
    let (mut one, mut two) =
        tokio::join!(Service::start(&database, ROWS, &[]), Service::start(&database, ROWS, &[]));
    let user = json!({ "name": "Grace Hopper", "country": "US" });
    one.send_json(Method::PUT, "/api/v1/users/7", &user).await;
    assert_eq!(two.get("/api/v1/users/7").await.json()["name"], user["name"]);
    for service in [&mut one, &mut two] {
        service.terminate();
        assert_eq!(service.exited().await.code(), Some(0));
    }
    let left: Vec<_> = directory.path().read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["again.sqlite"]);
    let three = Service::start(&database, ROWS, &[]).await;
    assert_eq!(three.get("/api/v1/users/7").await.json()["name"], user["name"]);
}

#[tokio::test]
async fn a_first_start_that_is_broken_off_leaves_no_half_of_a_database() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("half.sqlite");
    let rows = "20000000"; // far more than it has time for
    let mut start = command(&[("DATABASE", database.to_str().unwrap()), ("DASHBOARD_ROWS", rows)]);
    let mut starting = start.spawn().unwrap();
    eventually("it makes a database", async || directory.path().read_dir().unwrap().count() > 0).await;
    starting.kill().await.unwrap();
    assert!(!database.exists());

    let service = Service::start(&database, ROWS, &[]).await;
    service.get("/api/v1/dashboard").await.assert_computed();
}

#[tokio::test]
async fn wrong_variables_are_named() {
    for (name, value) in [
        ("ADDRESS", "here"),
        ("ADDRESS", "192.0.2.1:3000"),
        ("DATABASE", "/no/such/directory/dashboard.sqlite"),
        ("DATABASE", "/dev/null"),
        ("DASHBOARD_ROWS", "many"),
        ("REDIS_URL", "nonsense"),
        ("LARDER_CAPACITY", "0"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command(&[("DASHBOARD_ROWS", "100"), ("ADDRESS", "127.0.0.1:0"), (name, value)]);
        let output = timeout(DEADLINE, command.current_dir(directory.path()).output()).await;
        let output = output.expect("it does not start").unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}={value}: {told}");
        assert!(told.contains(name), "{name}={value}: {told}");
        assert!(!told.contains("panicked"), "{name}={value}: {told}");
    }
}

/// Two processes with one database and one Redis, and calls in all that they share.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_what_each_computes() {
    let (redis, directory) = (RedisServer::start(), tempfile::tempdir().unwrap());
    let (database, url) = (directory.path().join("shared.sqlite"), redis.url());
    let a = Service::start(&database, ROWS, &[("REDIS_URL", &url)]).await;
    let b = Service::start(&database, ROWS, &[("REDIS_URL", &url)]).await;

    let paths = ["/api/v1/users/7", "/api/v1/users/8", "/api/v1/metrics/revenue"];
    for path in paths {
        a.get(path).await.assert_computed();
    }
    // Three values, and three responses made from them.
    eventually("A has shared all of it", async || a.shared_stores().await >= 6).await;
    for path in paths {
        b.get(path).await.assert_hit();
    }
    assert_eq!(b.statements().await, 0);

    eventually("`larder top` sees both", async || redis.command::<usize>(&["HLEN", "larder:h:all"]) == 2)
        .await;

    let user = json!({ "name": "Grace Hopper", "country": "US" });
    assert!(a.send_json(Method::PUT, "/api/v1/users/7", &user).await.status.is_success());
    eventually("B knows the new name", async || {
        b.get("/api/v1/users/7").await.json()["name"] == user["name"]
    })
    .await;
    b.get("/api/v1/users/8").await.assert_hit();

    assert_eq!(a.cache_stats().await["redis"]["available"], true);
    assert_eq!(redis_up(&a.get("/metrics").await.text), 1.0);

    redis.kill();
    for service in [&a, &b] {
        for path in ["/api/v1/users/8", "/api/v1/users/9", "/api/v1/dashboard", "/api/v1/users?page=3"] {
            assert!(within_a_second(service.get(path)).await.status.is_success(), "{path}");
        }
        let changed = within_a_second(service.send_json(Method::PUT, "/api/v1/users/8", &user)).await;
        assert_eq!(changed.status, StatusCode::OK);
        assert_eq!(within_a_second(service.get("/api/v1/users/8")).await.json()["name"], user["name"]);
    }

    eventually("A says that it is alone", async || {
        let redis = &a.cache_stats().await["redis"];
        redis["available"] == false && redis["waiting"].as_u64() > Some(0)
    })
    .await;
    assert_eq!(redis_up(&a.get("/metrics").await.text), 0.0);

    // Nor does one that is started now need it.
    let c = Service::start(&database, ROWS, &[("REDIS_URL", &url)]).await;
    assert!(within_a_second(c.get("/api/v1/users/8")).await.status.is_success());
}

async fn within_a_second<T>(call: impl Future<Output = T>) -> T {
    let begin = Instant::now();
    let answer = timeout(DEADLINE, call).await.expect("it answers");
    assert!(begin.elapsed() < Duration::from_secs(1), "it took {:?}", begin.elapsed());
    answer
}
