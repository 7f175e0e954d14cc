//! The page at `/`, in a real browser: what it shows, and what its buttons do.

use std::collections::BTreeMap;

use larder_browser::{Browser, Screen};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    service::{Service, eventually},
    started,
};

/// WebDriver's name of a key.
const ARROW_LEFT: &str = "\u{e012}";

async fn opened() -> (Browser, Service, TempDir) {
    let (service, directory) = started().await;
    let browser = Browser::start().await;
    browser.visit(&service.url("/")).await;
    shown(&browser, "#state", |text| text == "cached in memory").await;
    (browser, service, directory)
}

/// Waits until an element shows a text that is right, and returns it.
async fn shown(browser: &Browser, selector: &str, is_right: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    eventually(&format!("{selector} shows what it should"), async || {
        text = browser.text(selector).await;
        is_right(&text)
    })
    .await;
    text
}

async fn assert_no_errors(browser: &Browser) {
    let console = browser.console().await;
    assert!(console.is_empty(), "{console:?}");
}

/// `199 hit in 85 µs (p50), 1 computed in 12 ms`: how many of each.
fn loaded(text: &str) -> BTreeMap<&'static str, u64> {
    let names = [("computed", "computed"), ("waited", "joined"), ("stale", "stale"), ("hit", "hit")];
    let parts = text.split(", ").filter(|part| part.contains(" in "));
    let counts = parts.map(|part| {
        let mut words = part.split(' ');
        let (count, what) = (words.next().unwrap().parse().expect(text), words.next().expect(text));
        (names.iter().find(|(word, _)| *word == what).expect(text).1, count)
    });
    counts.collect()
}

#[tokio::test]
async fn its_buttons_load_and_its_numbers_are_those_of_the_service() {
    let (browser, service, _directory) = opened().await;
    browser.click("#load button[value='200']").await;
    let many = shown(&browser, "#loaded", |text| text.contains("computed")).await;
    let mut counts = loaded(&many);
    assert_eq!(counts.values().sum::<u64>(), 200, "{many}");
    assert!(many.contains("(p50)"), "{many}");
    browser.click("#load button").await;
    let once = shown(&browser, "#loaded", |text| text != many).await;
    let (source, count) = loaded(&once).pop_first().expect("one answer");
    assert_eq!(count, 1, "{once}");
    *counts.entry(source).or_default() += 1;
    assert!(browser.text("#dashboard").await.contains("active users"));

    // What it saw in the responses is what the service counted.
    let stats = service.stats().await;
    let route = stats["routes"]["/api/v1/dashboard"].as_object().unwrap();
    let counted: Vec<_> =
        route.iter().map(|(source, of)| (source.as_str(), of["count"].as_u64().unwrap())).collect();
    assert_eq!(counted, counts.into_iter().collect::<Vec<_>>(), "{many}");

    for (status, source) in [
        ("larder; hit; ttl=30", "hit"),
        ("larder; hit; ttl=-3", "stale"),
        ("larder; fwd=uri-miss; collapsed", "joined"),
        ("larder; fwd=uri-miss; stored", "computed"),
        ("larder; fwd=method", "passed"),
    ] {
        assert_eq!(browser.run("return source(arguments[0])", json!([status])).await, source, "{status}");
    }

    // Nothing is asked of the cache from here on but its figures.
    let stats = service.cache_stats().await;
    let ratio = format!("{:.1} %", 100.0 * stats["hit_ratio"].as_f64().unwrap());
    shown(&browser, "#hit-ratio", |text| text == ratio).await;
    let count = |name: &str| stats["counters"][name].as_u64().unwrap();
    let reads = count("hits") + count("stale_hits") + count("misses");
    shown(&browser, "#hit-ratio-of", |text| text.starts_with(&format!("of {reads} reads"))).await;
    let computations = format!("{} computations", count("computations"));
    shown(&browser, "#spent", |text| text.contains(&computations)).await;
    let kept = format!("{} values; 1 response in ", stats["entries"]);
    shown(&browser, "#kept-of", |text| text.starts_with(&kept)).await;
    // A hundred hits are enough for a p99, and the few computations for a mean alone.
    shown(&browser, "#hit-time-of", |text| text.starts_with("median; p99 ")).await;
    shown(&browser, "#computed-time-of", |text| text.starts_with("mean of ")).await;
    let saved: f64 =
        stats["functions"].as_array().unwrap().iter().map(|of| of["time_saved_ms"].as_f64().unwrap()).sum();
    assert!(saved > 0.0, "{stats}");
    assert_ne!(browser.text("#saved").await, "0 µs");
    assert!(browser.text("#functions").await.contains("metrics::revenue"));
    assert!(browser.text("#routes").await.contains("/api/v1/dashboard"));

    // All of it is in the samples of the last minutes, and can be read with the keyboard.
    eventually("the samples have all requests", async || {
        let history = service.stats().await["history"].as_array().unwrap().clone();
        let requests = history.iter().flat_map(|sample| sample["requests"].as_object().unwrap().values());
        requests.map(|count| count.as_u64().unwrap()).sum::<u64>() == 201
    })
    .await;
    eventually("a bar for them", async || !count_of(&browser, "#chart rect.hit").await.eq(&0)).await;
    let mut read = String::new();
    for _ in 0..60 {
        browser.press("#chart", ARROW_LEFT).await;
        read = browser.text("#moment").await;
        if read.contains(" hit") {
            break;
        }
    }
    assert!(read.contains("requests: ") && read.contains("hit ratio "), "{read}");
    let spoken = browser.run("return document.getElementById('chart').ariaValueText", json!([])).await;
    assert_eq!(spoken.as_str().unwrap(), read.replace(" · ", ", "));

    let hosts = "return performance.getEntriesByType('resource').map((entry) => new URL(entry.name).host)
                 .filter((host) => host !== location.host)";
    assert_eq!(browser.run(hosts, json!([])).await, json!([]), "it needs nothing from elsewhere");
    assert_no_errors(&browser).await;
}

async fn count_of(browser: &Browser, selector: &str) -> u64 {
    let found = browser.run("return document.querySelectorAll(arguments[0]).length", json!([selector])).await;
    found.as_u64().unwrap()
}

#[tokio::test]
async fn its_buttons_change_and_operate() {
    let (browser, service, _directory) = opened().await;
    browser.fill("#rename input[name=name]", "Ada <b>Lovelace</b>").await;
    browser.click("#rename button").await;
    let renamed = shown(&browser, "#renamed", |text| text.ends_with("pages were made again.")).await;
    assert!(!renamed.starts_with("0 "), "{renamed}");
    assert_eq!(service.get("/api/v1/users/7").await.json()["name"], "Ada <b>Lovelace</b>");
    let pages = browser.run(
        "return [...document.querySelectorAll('#pages tr')].map((row) => [...row.cells].map((cell) => cell.innerText))",
        json!([]),
    );
    let pages = pages.await;
    let row = |path: &str| {
        let row = pages.as_array().unwrap().iter().find(|row| row[0] == path).expect(path);
        (row[1].as_str().unwrap(), row[2].as_str().unwrap())
    };
    assert_eq!(row("/api/v1/users/7"), ("computed", "computed"));
    assert_eq!(row("/api/v1/users/8"), ("computed", "hit"));

    // A mark for what that invalidated.
    eventually("a mark for the change", async || count_of(&browser, "#chart .mark").await > 0).await;

    let before = service.cache_stats().await["counters"]["invalidations"].clone();
    browser.fill("#invalidate input", "user:8").await;
    browser.click("#invalidate button").await;
    shown(&browser, "#operated", |text| text == "user:8 is invalidated: everywhere.").await;
    service.get("/api/v1/users/8").await.assert_computed();
    browser.fill("#invalidate input", "#users").await;
    browser.click("#invalidate button").await;
    shown(&browser, "#operated", |text| text == "#users is invalidated: everywhere.").await;
    let after = service.cache_stats().await["counters"]["invalidations"].clone();
    assert_eq!(after.as_u64().unwrap(), before.as_u64().unwrap() + 2);

    service.get("/api/v1/users/9").await.assert_computed();
    service.get("/api/v1/users/9").await.assert_hit();
    browser.click("#switch").await;
    shown(&browser, "#state", |text| text == "this process goes without the cache").await;
    service.get("/api/v1/users/9").await.assert_computed();
    browser.click("#switch").await;
    shown(&browser, "#state", |text| text == "cached in memory").await;
    assert_no_errors(&browser).await;

    // What is refused is said, and the page goes on.
    browser.fill("#invalidate input", "users:*:7").await;
    browser.click("#invalidate button").await;
    shown(&browser, "#operated", |text| !text.is_empty() && !text.contains("is invalidated")).await;
    shown(&browser, "#switch", |text| text == "Go without the cache").await;
}

/// The contrast of every text with what is behind it, and of each colour of data with the cards (WCAG 2.1): those that are
/// too low.
const LOW_CONTRAST: &str = r"
const channels = (color) => color.match(/[\d.]+/g).map(Number);
const luminance = ([red, green, blue]) => [red, green, blue]
  .map((channel) => channel / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, channel, index) => sum + channel * [0.2126, 0.7152, 0.0722][index], 0);
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
const behind = (element) => {
  const color = channels(getComputedStyle(element).backgroundColor);
  return color.length === 4 && color[3] === 0 ? behind(element.parentElement) : color;
};
const texts = [...document.body.querySelectorAll('*')].filter((element) => !element.closest('script, style, svg')
  && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
const low = texts.filter((element) => contrast(channels(getComputedStyle(element).color), behind(element)) < 4.5);
const card = channels(getComputedStyle(document.querySelector('section')).backgroundColor);
const parts = [...document.querySelectorAll('#legend i:not(.mark)')].map((part) => getComputedStyle(part).backgroundColor);
const pale = parts.filter((color) => contrast(channels(color), card) < 3);
return { texts: texts.length, colors: new Set(parts).size, low: low.map((element) => element.outerHTML), pale };
";

#[tokio::test]
async fn it_can_be_read_on_a_phone_in_the_dark_and_by_assistive_technology() {
    let (browser, _service, _directory) = opened().await;
    browser.click("#rename button").await;
    shown(&browser, "#renamed", |text| text.ends_with("pages were made again.")).await;
    for (width, dark) in [(375, false), (375, true), (1280, false), (1280, true)] {
        browser.emulate(Screen { width, height: 800, dark }).await;
        let scrolls =
            browser.run("return document.documentElement.scrollWidth > innerWidth", json!([])).await;
        assert_eq!(scrolls, Value::from(false), "it is wider than {width}");
        let drawn =
            || browser.run("return document.querySelector('#chart svg').viewBox.baseVal.width", json!([]));
        eventually("the chart fits", async || drawn().await.as_f64().unwrap() < f64::from(width)).await;
        let contrast = browser.run(LOW_CONTRAST, json!([])).await;
        assert!(contrast["texts"].as_u64().unwrap() > 50, "{contrast}");
        assert_eq!(contrast["colors"], 5, "one colour for each source");
        assert_eq!((&contrast["low"], &contrast["pale"]), (&json!([]), &json!([])), "{width}, dark: {dark}");
    }
    // What can be operated has a name, and is large enough for a finger.
    let operated = "return [...document.querySelectorAll('button, input')].map((element) =>
        [element.labels?.[0]?.innerText.trim() || element.innerText, element.getBoundingClientRect().height])";
    for element in browser.run(operated, json!([])).await.as_array().unwrap() {
        assert!(element[0].as_str().is_some_and(|name| !name.is_empty()), "{element}");
        assert!(element[1].as_f64().unwrap() >= 40.0, "{element}");
    }
    let unnamed = "return [...document.querySelectorAll('section, [role=region], [role=slider]')]
        .filter((element) => !element.ariaLabel && !document.getElementById(element.getAttribute('aria-labelledby'))
                             && !element.querySelector('h2')).length";
    assert_eq!(browser.run(unnamed, json!([])).await, Value::from(0));
    assert_no_errors(&browser).await;
}
