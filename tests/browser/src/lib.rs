//! A real browser without a window, for tests of what people see, and of what a browser's own cache does.
//!
//! It is Chromium or Chrome, by `chromedriver`, which speaks WebDriver (<https://www.w3.org/TR/webdriver2>).
//! `LARDER_CHROMEDRIVER` names another program than `chromedriver`; `scripts/test` installs both where they are missing.
//!
//! A browser has a profile of its own, empty at first, and ends with its test, however that ends. All methods panic if the
//! browser does not do what it is asked to.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use larder_servers::{DEADLINE, Process};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    /// The URL of its session.
    session: String,
    client: Client,
    _driver: Process,
    _directory: TempDir,
}

/// What is emulated of a device.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// In CSS pixels.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
    /// Whether its user prefers dark colours.
    pub dark: bool,
}

/// Starts a driver; gives it with its port. None if the port that it came upon is another one's by IPv4: it looks for a free
/// one by IPv6 alone, and ends then.
async fn drive(directory: &Path) -> Option<(Process, String)> {
    let log = directory.join("log");
    let file = File::create(&log).expect("there is room for a log");
    // Profiles are made where temporary files are.
    let temporary = OsString::from(format!("TMPDIR={}", directory.display()));
    let arguments = [temporary, program(), "--port=0".into()];
    let arguments = arguments.each_ref().map(OsString::as_os_str);
    let mut driver = Process::start("env".as_ref(), &arguments, directory, &file).expect("there is a shell");
    let begun = Instant::now();
    loop {
        let has_ended = driver.exited().is_some();
        let said = fs::read_to_string(&log).unwrap_or_default();
        if let Some((_, port)) = said.split_once("started successfully on port ") {
            return Some((driver, port.trim_end().trim_end_matches('.').to_owned()));
        }
        if has_ended && said.contains("Address already in use") {
            return None;
        }
        assert!(!has_ended && begun.elapsed() < DEADLINE, "it does not start: {said}");
        sleep(Duration::from_millis(10)).await;
    }
}

impl Browser {
    /// Whether there is one on this machine.
    #[must_use]
    pub fn is_installed() -> bool {
        let mut asks = Command::new(program());
        let asks = asks.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        asks.status().is_ok_and(|status| status.success())
    }

    /// Starts one.
    ///
    /// # Panics
    ///
    /// If there is none, or it does not start.
    pub async fn start() -> Self {
        assert!(
            Self::is_installed(),
            "there is no {:?}: scripts/test installs it, or name one in LARDER_CHROMEDRIVER",
            program()
        );
        let directory = tempfile::tempdir().expect("there is room for a profile");
        let (driver, port) = loop {
            if let Some(started) = drive(directory.path()).await {
                break started;
            }
        };
        let client = Client::builder().no_proxy().timeout(DEADLINE).build().expect("nothing is odd about it");
        let server = format!("http://127.0.0.1:{port}/session");
        let session = command(&client, Method::POST, &server, Some(&capabilities())).await;
        let id = session["sessionId"].as_str().expect("a session has a name");
        Self { session: format!("{server}/{id}"), client, _driver: driver, _directory: directory }
    }

    /// Opens a page, as if its address had been typed; returns when it is loaded.
    pub async fn visit(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// Presses the button that leads back; returns when the page is loaded.
    pub async fn back(&self) {
        self.post("back", json!({})).await;
    }

    /// Presses the button that leads forward again.
    pub async fn forward(&self) {
        self.post("forward", json!({})).await;
    }

    /// Presses the button that reloads.
    pub async fn reload(&self) {
        self.post("refresh", json!({})).await;
    }

    /// Runs the body of a function in the page, and returns what it returns; if that is a promise, what becomes of it.
    pub async fn run(&self, script: &str, arguments: Value) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": arguments })).await
    }

    /// The text that the first element of a CSS selector shows.
    pub async fn text(&self, selector: &str) -> String {
        let url = format!("{}/element/{}/text", self.session, self.element(selector).await);
        let text = command(&self.client, Method::GET, &url, None).await;
        text.as_str().expect("a text").to_owned()
    }

    /// Scrolls to an element, and clicks on it.
    pub async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/click"), json!({})).await;
    }

    /// Types into a field, in place of what it has.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/clear"), json!({})).await;
        self.press(selector, text).await;
    }

    /// Presses keys while an element has the focus.
    pub async fn press(&self, selector: &str, keys: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/value"), json!({ "text": keys })).await;
    }

    /// What went to the console since this was asked last: errors of scripts, resources that could not be loaded, and what
    /// scripts write there.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().expect("a list").iter();
        entries.map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// Has pages shown as on such a device.
    pub async fn emulate(&self, screen: Screen) {
        let Screen { width, height, dark } = screen;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// A command of the DevTools protocol, which WebDriver lacks.
    async fn devtools(&self, name: &str, parameters: Value) {
        self.post("goog/cdp/execute", json!({ "cmd": name, "params": parameters })).await;
    }

    async fn element(&self, selector: &str) -> String {
        let element = self.post("element", json!({ "using": "css selector", "value": selector })).await;
        element[ELEMENT].as_str().unwrap_or_else(|| panic!("no element: {element}")).to_owned()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        command(&self.client, Method::POST, &format!("{}/{path}", self.session), Some(&body)).await
    }
}

fn program() -> OsString {
    env::var_os("LARDER_CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into())
}

fn capabilities() -> Value {
    let arguments = [
        "--headless",
        // It ends when the pipe does, and so with the driver.
        "--remote-debugging-pipe",
        // It needs rights that root and containers lack, and all pages are the test's own.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        // Nothing is asked of its maker's servers.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--no-first-run",
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": { "args": arguments },
    } } })
}

async fn command(client: &Client, method: Method, url: &str, body: Option<&Value>) -> Value {
    let mut request = client.request(method, url);
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.send().await.unwrap_or_else(|error| panic!("the driver is gone: {error}"));
    let status = response.status();
    let mut answer: Value = response.json().await.unwrap_or_else(|error| panic!("no WebDriver: {error}"));
    assert!(status.is_success(), "{url}: {}", answer["value"]);
    answer["value"].take()
}
