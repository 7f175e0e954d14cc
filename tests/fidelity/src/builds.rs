//! What two builds of one program, with other features of serde_json and rust_decimal, store for each other.
//!
//! `other-build` compiles this file too, with `arbitrary_precision`, `preserve_order` and `serde-float`.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    io::{self, BufRead as _, Write as _},
    time::Duration,
};

use larder::{CacheExt as _, MemoryCache, Policy, RedisCache, RedisCacheBuilder, TieredCache, Value, codec};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The codecs that both builds have.
pub const CODECS: [(&str, With); 2] =
    [("MessagePack", |redis| redis.codec(codec::MessagePack)), ("JSON", |redis| redis.codec(codec::Json))];

/// Has a cache write with a codec.
pub type With = fn(RedisCacheBuilder) -> RedisCacheBuilder;

type Json = serde_json::Value;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plain {
    id: u64,
    price: f64,
    name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Holder {
    id: u64,
    payload: Json,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct MaybeHolder {
    payload: Option<Json>,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flattened {
    id: u64,
    #[serde(flatten)]
    rest: serde_json::Map<String, Json>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(f64),
    Any(Json),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Event { payload: Json },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Price {
    amount: Decimal,
    old: Option<Decimal>,
}

/// What is done with each value in turn.
enum Order<'a> {
    Store(&'a TieredCache),
    Read(&'a TieredCache, &'a mut Vec<(&'static str, &'static str, String)>),
}

impl Order<'_> {
    async fn carry_out<V: Value + PartialEq + Debug>(
        &mut self,
        name: &'static str,
        value: V,
    ) -> larder::Result<()> {
        match self {
            Self::Store(cache) => {
                let policy = Policy::ttl(Duration::from_secs(3_600));
                cache.get_or_compute(name, policy, async || Ok::<V, larder::Error>(value)).await?;
            }
            Self::Read(cache, outcomes) => {
                let (outcome, detail) = match cache.get::<V>(name).await? {
                    None => ("nothing", String::new()),
                    Some(found) if found == value => ("same", String::new()),
                    Some(found) => ("other", format!("{found:?}")),
                };
                outcomes.push((name, outcome, detail));
            }
        }
        Ok(())
    }
}

fn json(text: &str) -> Json {
    text.parse().expect("it is JSON")
}

fn map(text: &str) -> serde_json::Map<String, Json> {
    json(text).as_object().cloned().expect("it is an object")
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("it is a number")
}

async fn all(order: &mut Order<'_>) -> larder::Result<()> {
    let plain = Plain { id: u64::MAX, price: 0.1, name: Some("text".to_owned()) };
    order.carry_out("plain", plain).await?;
    order.carry_out("floats", vec![0.1, 1e23, 5e-324, f64::MAX]).await?;
    order.carry_out("text", json("\"text\"")).await?;
    order.carry_out("integer", json("7")).await?;
    order.carry_out("float", json("1.5")).await?;
    order.carry_out("integer that is large", json("12345678901234567890123")).await?;
    order.carry_out("list", json("[1, -2, 3.5, null]")).await?;
    order.carry_out("object", json("{\"b\": 1, \"a\": {\"z\": true, \"c\": 1.25}}")).await?;
    order.carry_out("number", serde_json::Number::from(7)).await?;
    order.carry_out("map", map("{\"b\": 1, \"a\": 2}")).await?;
    order.carry_out("struct", Holder { id: 1, payload: json("{\"price\": 9.5}") }).await?;
    order.carry_out("struct without a number", Holder { id: 1, payload: json("{\"name\": \"x\"}") }).await?;
    order.carry_out("Option", MaybeHolder { payload: Some(json("7")), name: "x".to_owned() }).await?;
    order.carry_out("Option, None", MaybeHolder { payload: None, name: "x".to_owned() }).await?;
    order.carry_out("Vec", vec![json("7"), json("[1.5]")]).await?;
    order.carry_out("HashMap", HashMap::from([("a".to_owned(), json("7"))])).await?;
    order.carry_out("BTreeMap of maps", BTreeMap::from([(1, map("{\"a\": 7}"))])).await?;
    order.carry_out("flatten", Flattened { id: 1, rest: map("{\"a\": 7, \"b\": 1.5}") }).await?;
    order.carry_out("untagged number", Untagged::Number(1.5)).await?;
    order.carry_out("untagged value", Untagged::Any(json("{\"a\": 7}"))).await?;
    order.carry_out("tagged", Tagged::Event { payload: json("{\"a\": 7}") }).await?;
    order.carry_out("Decimal", Price { amount: decimal("19.99"), old: None }).await?;
    let exact = decimal("1234567890.123456789012345678");
    order.carry_out("Decimal, many digits", Price { amount: exact, old: Some(decimal("0.1")) }).await
}

/// Connects; `writer` is the build whose values these are.
///
/// # Panics
///
/// If the server is not there.
pub async fn connect(url: &str, writer: &str, (name, with_codec): (&str, With)) -> TieredCache {
    let redis = RedisCache::builder().url(url).prefix(format!("builds-{writer}-{name}"));
    let redis = with_codec(redis).deadline(Duration::from_secs(5)).connect().await.expect("the server is up");
    TieredCache::new(MemoryCache::new(1_000), redis)
}

/// Stores everything.
///
/// # Errors
///
/// None is expected.
pub async fn store(cache: &TieredCache) -> larder::Result<()> {
    all(&mut Order::Store(cache)).await
}

/// Reads everything, and compares it with what this build has under that name.
///
/// # Errors
///
/// None is expected.
pub async fn read(cache: &TieredCache) -> larder::Result<Vec<(&'static str, &'static str, String)>> {
    let mut outcomes = Vec::new();
    all(&mut Order::Read(cache, &mut outcomes)).await?;
    Ok(outcomes)
}

/// Does what each line of the standard input says, until it ends: `store`, or `read`.
///
/// # Errors
///
/// If the test is gone.
pub async fn obey(url: &str) -> io::Result<()> {
    let mut caches = Vec::new();
    for codec in CODECS {
        caches.push((connect(url, "other", codec).await, connect(url, "this", codec).await, codec.0));
    }
    writeln!(io::stdout(), "ready")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        for (own, foreign, codec) in &caches {
            if line == "store" {
                store(own).await.map_err(io::Error::other)?;
                continue;
            }
            for (name, outcome, detail) in read(foreign).await.map_err(io::Error::other)? {
                writeln!(io::stdout(), "{outcome} {codec}: {name} {}", detail.replace('\n', " "))?;
            }
        }
        writeln!(io::stdout(), "done")?;
    }
    Ok(())
}
