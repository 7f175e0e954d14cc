//! Values that another process would read as another one, or not at all: not shared, kept here, counted, and told of.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    error::Error as _,
    fmt::Debug,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use larder::{
    Cache, CacheExt, MemoryCache, Policy, RedisCache, RedisCacheBuilder, TieredCache, Value, cached, codec,
};
use larder_servers::RedisServer;
use serde::{Deserialize, Serialize, Serializer, ser};

const LONG: Policy = Policy::ttl(Duration::from_secs(600));

/// Has a cache write with a codec.
type With = fn(RedisCacheBuilder) -> RedisCacheBuilder;

const JSON: With = |redis| redis.codec(codec::Json);
const MESSAGE_PACK: With = |redis| redis.codec(codec::MessagePack);

/// A cache as the first or the second process has it: what spells the server's address in another way knows as little
/// of the other one as another process does.
async fn process(server: &RedisServer, number: u8, with_codec: With) -> RedisCache {
    let url = server.url().replace("127.0.0.1", if number == 1 { "127.0.0.1" } else { "localhost" });
    let redis = with_codec(RedisCache::builder().url(url));
    redis.deadline(Duration::from_secs(5)).connect().await.unwrap()
}

fn with_memory(cache: &RedisCache) -> TieredCache {
    TieredCache::new(MemoryCache::new(100), cache.clone())
}

/// What is lost is known by its names alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Account {
    id: u32,
    #[serde(skip_serializing)]
    password: Option<String>,
}

/// What is lost depends on the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Price {
    #[serde(skip_deserializing)]
    cents: u32,
    currency: Option<Option<u8>>,
}

/// It refuses what it wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Page {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    items: Vec<u32>,
}

/// It repeats what it does not take.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "u8")]
struct Odd(u8);

impl TryFrom<u8> for Odd {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        Err(format!("{number} is a secret"))
    }
}

fn account() -> Account {
    Account { id: 1, password: Some("hash".into()) }
}

/// What a cache does with a value that cannot be shared, whichever it is.
async fn check_refusal<V: Value + Debug + PartialEq>(cache: &impl Cache, other: &impl Cache, value: &V) {
    let before = cache.stats();
    let refused = cache.insert("inserted", value, LONG).await.unwrap_err();
    assert!(refused.is_unencodable(), "{refused}");
    assert!(refused.to_string().contains("inserted"), "{refused}");
    let runs = AtomicU32::new(0);
    for _ in 0..3 {
        let computed = cache
            .get_or_compute("computed", LONG, async || {
                runs.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Infallible>(value.clone())
            })
            .await;
        assert_eq!(computed.as_ref(), Ok(value));
    }
    assert_eq!(runs.into_inner(), 1, "it stays in this process");
    for key in ["inserted", "computed"] {
        assert_eq!(cache.get::<V>(key).await.unwrap().as_ref(), Some(value), "{key}");
        assert_eq!(other.get::<V>(key).await.unwrap(), None, "{key}");
    }
    let counted = cache.stats().since(&before);
    assert_eq!((counted.stores, counted.shared_stores), (0, 0), "{counted:?}");
    assert_eq!(counted.unshared_changed + counted.unshared_unreadable, 2, "{counted:?}");
    let unshared = CacheExt::link(cache).unwrap().unshared;
    let of_type: Vec<_> = unshared.iter().filter(|of| of.value_type == std::any::type_name::<V>()).collect();
    assert!(of_type.iter().map(|of| of.count).sum::<u64>() >= 2, "{unshared:?}");
    assert!(
        of_type
            .iter()
            .all(|of| ["changed", "one_sided", "unreadable"].contains(&of.reason) && !of.text.is_empty())
    );
    // Invalidated like any other.
    cache.invalidate(["inserted", "computed"]).await;
    assert_eq!(cache.get::<V>("computed").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stays_in_this_process_and_is_counted() {
    let server = RedisServer::start();
    for codec in [MESSAGE_PACK, JSON] {
        let (a, b) = (process(&server, 1, codec).await, process(&server, 2, codec).await);
        check_refusal(&a, &b, &account()).await;
        check_refusal(&a, &b, &Price { cents: 7, currency: None }).await;
        check_refusal(&a, &b, &Page { items: vec![] }).await;
        check_refusal(&with_memory(&a), &with_memory(&b), &account()).await;
        check_refusal(&with_memory(&a), &with_memory(&b), &Page { items: vec![] }).await;
    }
}

/// JSON has no form for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ByPair(BTreeMap<(u8, u8), u8>);

/// Its `Serialize` refuses some values.
#[derive(Debug, Clone, Deserialize)]
struct Sealed;

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("it is sealed; open it first"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_has_what_codec_and_type_said_as_its_source() {
    let server = RedisServer::start();
    let cache = process(&server, 1, JSON).await;
    let by_pair = cache.insert("pairs", &ByPair([((1, 2), 3)].into()), LONG).await.unwrap_err();
    let page = cache.insert("page", &Page { items: vec![] }, LONG).await.unwrap_err();
    for (error, said) in [(by_pair, "key must be a string"), (page, "missing field `items`")] {
        let source = error.source().unwrap().downcast_ref::<serde_json::Error>();
        let source = source.unwrap().to_string();
        assert!(source.starts_with(said), "{source}");
        assert!(!error.to_string().contains(said), "a message never repeats its source: {error}");
    }
    let sealed = cache.insert("sealed", &Sealed, LONG).await.unwrap_err();
    assert_eq!(sealed.source().unwrap().to_string(), "it is sealed; open it first");
    assert_eq!(sealed.to_string(), "the value for \"sealed\" cannot be shared: it cannot be encoded as JSON");
    // What shows a part of the value is not kept.
    let refused = cache.insert("odd", &Odd(7), LONG).await.unwrap_err();
    assert!(refused.source().is_none(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_values_of_the_type_are_shared() {
    let server = RedisServer::start();
    let (a, b) = (process(&server, 1, JSON).await, process(&server, 2, JSON).await);
    let (empty, full) = (Page { items: vec![] }, Page { items: vec![1] });
    for round in 0..100 {
        let refused = a.insert(&format!("empty:{round}"), &empty, LONG).await;
        assert!(refused.is_err(), "{round}");
    }
    a.insert("page", &empty, LONG).await.unwrap_err();
    assert_eq!(a.get("page").await.unwrap(), Some(empty.clone()));
    a.insert("page", &full, LONG).await.unwrap();
    assert_eq!(a.get("page").await.unwrap(), Some(full.clone()));
    assert_eq!(b.get("page").await.unwrap(), Some(full));
    assert_eq!(a.stats().stores, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_always_refused_is_seldom_tried() {
    let server = RedisServer::start();
    let cache = process(&server, 1, JSON).await;
    for _ in 0..200 {
        cache.invalidate("page").await;
        let empty = async || Ok::<_, Infallible>(Page { items: vec![] });
        cache.get_or_compute("page", LONG, empty).await.unwrap();
    }
    let counted = cache.stats();
    assert!(counted.unshared_unreadable < 30, "{counted:?}");
    assert_eq!(counted.unshared_unreadable + counted.unshared_postponed, 200, "{counted:?}");
    assert_eq!(counted.stores, 0);
}

/// Deeper than what a thread of a runtime can follow, and read all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_deep_value_is_shared() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Node {
        next: Option<Box<Node>>,
        name: String,
    }
    let nested = |nodes: u32| {
        let end = Node { next: None, name: "0".into() };
        (1..nodes).fold(end, |next, node| Node { next: Some(Box::new(next)), name: node.to_string() })
    };
    let server = RedisServer::start();
    for (codec, most) in [(JSON, 127), (MESSAGE_PACK, 1_000)] {
        let (a, b) = (process(&server, 1, codec).await, process(&server, 2, codec).await);
        a.insert("deep", &nested(most), LONG).await.unwrap();
        assert_eq!(b.get("deep").await.unwrap(), Some(nested(most)));
        let refused = a.insert("deeper", &nested(most + 100), LONG).await.unwrap_err();
        assert!(refused.to_string().contains("nests deeper"), "{refused}");
        assert_eq!(a.stats().unshared_too_deep, 1);
    }
}

mod known_to_the_macros {
    use super::*;

    static CACHE: tokio::sync::OnceCell<RedisCache> = tokio::sync::OnceCell::const_new();

    /// No serialized form shows what it loses.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Row {
        id: u32,
        #[serde(skip)]
        score: u32,
    }

    /// The same, and only its text tells.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Shown {
        id: u32,
        #[serde(skip)]
        score: u32,
    }

    /// A name of one side, and a comparison that says that nothing is lost.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Computed {
        #[serde(skip_deserializing)]
        sum: u32,
    }

    /// Not equal to itself while it has no ratio: then its text tells.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Ratio {
        of: f64,
        #[serde(skip)]
        score: u32,
    }

    #[cached(cache = CACHE.get().unwrap(), ttl = 600, key = "ratio:<score>")]
    async fn ratio(score: u32) -> Ratio {
        Ratio { of: f64::NAN, score }
    }

    #[cached(cache = CACHE.get().unwrap(), ttl = 600, key = "row:<id>")]
    async fn row(id: u32) -> Result<Row, Infallible> {
        Ok(Row { id, score: id })
    }

    #[cached(cache = CACHE.get().unwrap(), ttl = 600, key = "shown:<id>")]
    async fn shown(id: u32) -> Shown {
        Shown { id, score: id }
    }

    #[cached(cache = CACHE.get().unwrap(), ttl = 600, key = "computed:<sum>")]
    async fn computed(sum: u32) -> Computed {
        Computed { sum }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn values_are_compared() {
        let server = RedisServer::start();
        let a = process(&server, 1, MESSAGE_PACK).await;
        let b = process(&server, 2, MESSAGE_PACK).await;
        CACHE.set(a.clone()).unwrap();
        assert_eq!(row(7).await.unwrap().score, 7);
        assert_eq!(row(0).await.unwrap().score, 0);
        assert_eq!(shown(7).await.score, 7);
        assert_eq!(shown(0).await.score, 0);
        assert_eq!(computed(0).await.sum, 0);
        assert_eq!(ratio(7).await.score, 7);
        assert_eq!(ratio(0).await.score, 0);
        assert_eq!(a.stats().unshared_changed, 3);
        assert_eq!(a.stats().shared_stores, 4);
        for key in ["row:7", "shown:7", "ratio:7"] {
            assert!(!b.contains(key).await.unwrap(), "{key}");
        }
        for key in ["row:0", "shown:0", "computed:0", "ratio:0"] {
            assert!(b.contains(key).await.unwrap(), "{key}");
        }
        assert_eq!(row(7).await.unwrap().score, 7, "from this process");
        // Typed verbs of the same type profit.
        assert!(b.insert("by hand", &Row { id: 1, score: 2 }, LONG).await.is_err());
        assert!(b.insert("by hand", &Row { id: 1, score: 0 }, LONG).await.is_ok());
    }
}

/// As `pbjson_types::Value` and `async_graphql::Value` do.
#[derive(Debug, Clone, PartialEq)]
struct Null;

impl Serialize for Null {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_none()
    }
}

impl<'de> Deserialize<'de> for Null {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<u8>::deserialize(deserializer).map(|_| Self)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_serializes_like_a_none_is_a_value() {
    let server = RedisServer::start();
    let (a, b) = (process(&server, 1, JSON).await, process(&server, 2, JSON).await);
    a.insert("null", &Null, LONG).await.unwrap();
    assert_eq!(b.get("null").await.unwrap(), Some(Null));
    a.insert("none", &None::<u8>, LONG).await.unwrap();
    assert_eq!(b.get::<Option<u8>>("none").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_is_warned_of_once_with_the_field_and_the_mend() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct OfThisTest {
        #[serde(skip_serializing)]
        secret: Option<u8>,
    }
    larder_warnings::listen();
    let server = RedisServer::start();
    let cache = process(&server, 1, MESSAGE_PACK).await;
    for key in ["a", "b", "c"] {
        cache.insert(key, &OfThisTest { secret: Some(1) }, LONG).await.unwrap_err();
    }
    let told = larder_warnings::heard(&["OfThisTest"]);
    assert_eq!(told.len(), 1, "{told:?}");
    for part in ["reason=", "mend=", "`secret`", "skip_serializing", "PartialEq"] {
        assert!(told[0].contains(part), "{part}: {}", told[0]);
    }
}

static REFUSES: AtomicBool = AtomicBool::new(false);

/// Read or not by what its bytes do not say, as types do that have other features in another build.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Moody(u8);

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = u8::deserialize(deserializer).map(Self);
        match REFUSES.load(Ordering::SeqCst) {
            true => Err(serde::de::Error::custom("not today")),
            false => read,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_on_its_way_back_is_warned_of_once_and_counted() {
    larder_warnings::listen();
    let server = RedisServer::start();
    let (a, b) = (process(&server, 1, JSON).await, process(&server, 2, JSON).await);
    for key in ["a", "b", "c"] {
        a.insert(key, &Moody(1), LONG).await.unwrap();
    }
    assert_eq!(b.get("a").await.unwrap(), Some(Moody(1)));
    REFUSES.store(true, Ordering::SeqCst);
    for key in ["a", "b", "c"] {
        assert_eq!(b.get::<Moody>(key).await.unwrap(), None);
    }
    assert_eq!(b.stats().shared_unreadable, 3);
    let told = larder_warnings::heard(&["Moody"]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("cannot be read here") && told[0].contains("features"), "{}", told[0]);
}

/// No macro has seen these: the names of both sides tell, and what they do not tell is in the docs.
mod known_to_no_macro {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Written {
        id: u32,
        #[serde(skip_deserializing)]
        level: u8,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Asked {
        id: u32,
        #[serde(skip_serializing)]
        note: Option<u8>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Whole {
        id: u32,
        #[serde(default, alias = "label")]
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<u8>,
    }

    /// Refused by the names that one side alone has, even where this value would lose nothing.
    async fn is_refused<V: Value + Debug + PartialEq>(a: &RedisCache, b: &RedisCache, value: V) {
        let refused = a.insert("key", &value, LONG).await.unwrap_err();
        assert!(refused.is_unencodable(), "{refused}");
        assert!(refused.to_string().contains("PartialEq"), "it names the mend: {refused}");
        let computed = a.get_or_compute("computed", LONG, async || Ok::<_, Infallible>(value.clone())).await;
        assert_eq!(computed.as_ref(), Ok(&value));
        for key in ["key", "computed"] {
            assert_eq!(a.get::<V>(key).await.unwrap().as_ref(), Some(&value));
            assert_eq!(b.get::<V>(key).await.unwrap(), None);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn names_are_compared() {
        let server = RedisServer::start();
        for codec in [MESSAGE_PACK, JSON] {
            let (a, b) = (process(&server, 1, codec).await, process(&server, 2, codec).await);
            is_refused(&a, &b, Written { id: 1, level: 0 }).await;
            is_refused(&a, &b, Asked { id: 1, note: None }).await;
            for note in [None, Some(1)] {
                let whole = Whole { id: 1, name: "Ada".into(), note };
                a.insert("whole", &whole, LONG).await.unwrap();
                assert_eq!(b.get("whole").await.unwrap(), Some(whole));
            }
        }
    }
}
