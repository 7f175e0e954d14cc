//! Values made at random: none comes back as another one, and none is lost without being counted.
//!
//! For `LARDER_FIDELITY_SECONDS`, two by default. What is found is made smaller, and printed.

use std::{
    collections::{BTreeMap, HashMap},
    env,
    fmt::Debug,
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use larder::{CacheExt as _, TieredCache, Value, cached};
use larder_fidelity::{
    codecs::CODECS,
    process::connect,
    row::{Absent, TTL},
    same::Traits,
    traits,
    writer::counted,
};
use larder_servers::RedisServer;
use larder_tests::{caches::Process, warnings};
use proptest::{
    collection::{btree_map, hash_map, vec},
    option,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Everything that serde knows of, in the default form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Node {
    Unit,
    Bool(bool),
    Small(u8),
    Int(i64),
    Wide(i128),
    Single(f32),
    Double(f64),
    Char(char),
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Maybe(Option<Box<Node>>),
    Pair(Box<Node>, Box<Node>),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
    Keyed(BTreeMap<i16, Node>),
    Struct { first: Box<Node>, second: Option<Box<Node>>, third: () },
}

/// What serde has to guess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Guess {
    Small(u8),
    Int(i64),
    Double(f64),
    Char(char),
    Text(String),
    Maybe(Option<bool>),
    Pair(Box<(Guess, Guess)>),
    List(Vec<Guess>),
    Optional { a: Option<Box<Guess>> },
    Required { b: Box<Guess>, c: Option<u8> },
    Map(BTreeMap<String, Guess>),
}

/// What serde buffers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Unit,
    Fields { number: Option<i64>, text: String },
    Nested { inner: Box<Tagged>, list: Vec<Option<u8>> },
    Flat(Flat),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    inner: Option<Attributes>,
    #[serde(flatten)]
    rest: BTreeMap<String, Option<i32>>,
}

/// Attributes that may lose something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Attributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<Option<u8>>,
    #[serde(default = "ten", skip_serializing_if = "is_zero")]
    b: u8,
    #[serde(rename(serialize = "d"))]
    c: Option<u8>,
    #[serde(skip_serializing)]
    e: Option<String>,
    #[serde(skip)]
    f: u8,
    #[serde(with = "text_or_nothing", default)]
    g: Option<String>,
    #[serde(skip_deserializing)]
    h: u16,
}

fn ten() -> u8 {
    10
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

mod text_or_nothing {
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde passes the field")]
    pub(super) fn serialize<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text.as_deref().unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<String>, D::Error> {
        Ok(Some(String::deserialize(deserializer)?).filter(|text| !text.is_empty()))
    }
}

type Nest = Vec<Option<Option<HashMap<u8, Option<()>>>>>;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-d]", "\\PC{0,8}", Just("kind".to_owned()), Just("null".to_owned())]
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        Just(Node::Unit),
        any::<bool>().prop_map(Node::Bool),
        any::<u8>().prop_map(Node::Small),
        any::<i64>().prop_map(Node::Int),
        any::<i128>().prop_map(Node::Wide),
        any::<u32>().prop_map(|bits| Node::Single(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Node::Double(f64::from_bits(bits))),
        any::<char>().prop_map(Node::Char),
        text().prop_map(Node::Text),
        vec(any::<u8>(), 0..5).prop_map(Node::Bytes),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            option::of(boxed()).prop_map(Node::Maybe),
            (boxed(), boxed()).prop_map(|(a, b)| Node::Pair(a, b)),
            vec(inner.clone(), 0..4).prop_map(Node::List),
            btree_map(text(), inner.clone(), 0..4).prop_map(Node::Map),
            btree_map(any::<i16>(), inner.clone(), 0..4).prop_map(Node::Keyed),
            (boxed(), option::of(boxed())).prop_map(|(first, second)| Node::Struct {
                first,
                second,
                third: ()
            }),
        ]
    })
}

fn guess() -> impl Strategy<Value = Guess> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(Guess::Small),
        any::<i64>().prop_map(Guess::Int),
        any::<f64>().prop_map(Guess::Double),
        any::<char>().prop_map(Guess::Char),
        text().prop_map(Guess::Text),
        any::<Option<bool>>().prop_map(Guess::Maybe),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|pair| Guess::Pair(Box::new(pair))),
            vec(inner.clone(), 0..4).prop_map(Guess::List),
            option::of(boxed()).prop_map(|a| Guess::Optional { a }),
            (boxed(), any::<Option<u8>>()).prop_map(|(b, c)| Guess::Required { b, c }),
            btree_map(text(), inner.clone(), 0..3).prop_map(Guess::Map),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let small = || prop_oneof![Just(0_u8), any::<u8>()];
    let fields = (any::<Option<Option<u8>>>(), small(), any::<Option<u8>>(), option::of(text()));
    (
        fields,
        prop_oneof![4 => Just(0_u8), 1 => any::<u8>()],
        option::of(text()),
        prop_oneof![4 => Just(0_u16), 1 => any::<u16>()],
    )
        .prop_map(|((a, b, c, e), f, g, h)| Attributes { a, b, c, e, f, g, h })
}

fn flat() -> impl Strategy<Value = Flat> {
    let rest = btree_map(text(), any::<Option<i32>>(), 0..3);
    (any::<u8>(), option::of(attributes()), rest).prop_map(|(id, inner, rest)| Flat { id, inner, rest })
}

fn tagged() -> impl Strategy<Value = Tagged> {
    let leaf = prop_oneof![
        Just(Tagged::Unit),
        (any::<Option<i64>>(), text()).prop_map(|(number, text)| Tagged::Fields { number, text }),
        flat().prop_map(Tagged::Flat),
    ];
    leaf.prop_recursive(4, 8, 1, |inner| {
        (inner.prop_map(Box::new), vec(any::<Option<u8>>(), 0..3))
            .prop_map(|(inner, list)| Tagged::Nested { inner, list })
    })
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 30, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn nest() -> impl Strategy<Value = Nest> {
    vec(option::of(option::of(hash_map(any::<u8>(), any::<Option<()>>(), 0..3))), 0..4)
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Cached<T> = for<'a> fn(&'a TieredCache, &'a str, Option<T>) -> BoxFuture<'a, Result<T, Absent>>;

/// One process writes, another one reads.
struct Caches {
    codec: &'static str,
    writer: TieredCache,
    reader: TieredCache,
}

impl Caches {
    async fn check<T: Value + Debug>(
        &self,
        value: T,
        traits: &Traits<T>,
        cached: Cached<T>,
    ) -> Result<(), String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let key = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let before = self.writer.stats();
        let _ = cached(&self.writer, &key, Some(value.clone())).await;
        let did = self.writer.stats().since(&before);
        match cached(&self.reader, &key, None).await {
            Ok(found) if traits.is_same(&value, &found) => Ok(()),
            Ok(found) => Err(format!("{}: it comes back as {found:?}", self.codec)),
            Err(Absent) if did.shared_failures > 0 || counted(&did).is_some() => Ok(()),
            Err(Absent) => Err(format!("{}: it is not found, and not counted", self.codec)),
        }
    }
}

fn try_some<T: Value + Debug>(
    (caches, runtime): (&[Caches], &tokio::runtime::Runtime),
    strategy: &impl Strategy<Value = T>,
    traits: &Traits<T>,
    cached: Cached<T>,
) {
    let config = Config { cases: 16, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(strategy, |value| {
        for caches in caches {
            runtime.block_on(caches.check(value.clone(), traits, cached)).map_err(TestCaseError::fail)?;
        }
        Ok(())
    });
    if let Err(failure) = checked {
        panic!("{failure}");
    }
}

macro_rules! try_each {
    ($at:expr; $($(#[negative_ttl = $negative:ident])? $type:ty = $strategy:expr;)*) => {$({
        #[cached(
            ttl = TTL, $(negative_ttl = $negative,)? key = "<key>", cache = cache, skip(cache, value),
            companions = false
        )]
        async fn cached(cache: &TieredCache, key: &str, value: Option<$type>) -> Result<$type, Absent> {
            value.ok_or(Absent)
        }
        try_some::<$type>($at, &$strategy, &traits!($type), |cache, key, value| Box::pin(cached(cache, key, value)));
    })*};
}

#[test]
fn no_value_comes_back_as_another_one() {
    warnings::listen();
    let seconds = env::var("LARDER_FIDELITY_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let end = Instant::now() + Duration::from_secs(seconds);
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be had");
    let connected = CODECS.map(|(name, codec)| {
        runtime.block_on(async {
            let writer = connect(&Process::A.url(&server), name, codec).await;
            Caches { codec: name, writer, reader: connect(&Process::B.url(&server), name, codec).await }
        })
    });
    let at = (&connected[..], &runtime);
    while Instant::now() < end {
        try_each! { at;
            Node = node();
            Guess = guess();
            Tagged = tagged();
            Flat = flat();
            Attributes = attributes();
            Json = json();
            #[negative_ttl = TTL]
            Option<Json> = option::of(json());
            Nest = nest();
            HashMap<String, Attributes> = hash_map(text(), attributes(), 0..3);
        }
    }
}
