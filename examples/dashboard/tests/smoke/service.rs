//! The service as a process of its own, and a client for it.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// Far more than anything here takes: a machine may be busy with other things.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A running service; dropping it kills it.
pub struct Service {
    child: Child,
    url: String,
    client: Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// Where it came from, and nothing if no cache was asked.
    pub cache_status: String,
    pub content_type: String,
    pub location: String,
    pub server_timing: String,
    pub text: String,
}

/// The program with nothing in its environment that the test did not put there.
pub fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME"))));
    command.env_clear().envs(variables.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Service {
    pub async fn start(database: &Path, rows: u32, more: &[(&str, &str)]) -> Self {
        let rows = rows.to_string();
        let mut variables = vec![
            ("ADDRESS", "127.0.0.1:0"),
            ("DATABASE", database.to_str().unwrap()),
            ("DASHBOARD_ROWS", &rows),
        ];
        variables.extend(more);
        let mut child = command(&variables).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(DEADLINE, lines.next_line()).await.expect("it starts in time").unwrap();
        let url = line.as_deref().and_then(|line| line.strip_prefix("listening on "));
        Self { child, url: url.expect("it tells its address").to_owned(), client: Client::new() }
    }

    /// Where a browser finds it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A request, as a load balancer sends it on: with the same host to every node.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).header("host", "dashboard.example")
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub async fn send_json(&self, method: Method, path: &str, body: &Value) -> Answer {
        send(self.request(method, path).json(body)).await
    }

    /// What the service counts.
    pub async fn stats(&self) -> Value {
        self.get("/admin/stats").await.json()
    }

    /// What its cache counts.
    pub async fn cache_stats(&self) -> Value {
        self.get("/admin/cache/stats").await.json()
    }

    /// How many statements the database has run.
    pub async fn statements(&self) -> u64 {
        self.stats().await["statements"].as_u64().unwrap()
    }

    /// How many entries it has put into Redis.
    pub async fn shared_stores(&self) -> u64 {
        self.cache_stats().await["counters"]["shared_stores"].as_u64().unwrap()
    }

    pub fn terminate(&self) {
        let id = i32::try_from(self.child.id().expect("it runs")).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
    }

    pub async fn exited(&mut self) -> ExitStatus {
        timeout(DEADLINE, self.child.wait()).await.expect("it ends in time").unwrap()
    }
}

pub async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let header = |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    Answer {
        status: response.status(),
        cache_status: header("cache-status"),
        content_type: header("content-type"),
        location: header("location"),
        server_timing: header("server-timing"),
        text: response.text().await.unwrap(),
    }
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn assert_hit(&self) {
        assert!(self.cache_status.starts_with("larder; hit"), "not from the cache: {self:?}");
    }

    #[track_caller]
    pub fn assert_computed(&self) {
        assert!(self.status.is_success(), "{self:?}");
        assert!(self.cache_status.starts_with("larder; fwd="), "not from the handler: {self:?}");
    }
}

/// Waits until something holds, and fails if it does not come to that.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "never came to this: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
