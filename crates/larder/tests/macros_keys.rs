//! What the macros make of templates and argument values.

#![expect(dead_code, reason = "some functions are asked for nothing but their key")]

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::{CacheExt, cached};
use serde::Serialize;

#[cached(ttl = 60, key = "pair:<left>:<right>")]
async fn pair(left: &str, right: String) -> (String, String) {
    (left.to_owned(), right)
}

/// Values that would forge another key, widen a pattern, or look like a template.
const HOSTILE: &[&str] = &[
    "", ":", "a:b", "*", ":*", "%", "%3A", "%%", "<left>", "{left}", "{}", "\n", "\0", "\u{85}", "é", "\\",
    "\"", " ",
];

#[tokio::test]
async fn no_two_pairs_of_values_share_a_key() {
    let long = "x:".repeat(5_000);
    let values: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str()]).collect();
    let mut seen = HashMap::new();
    for left in &values {
        for right in &values {
            let key = pair::key(left, (*right).to_owned());
            assert!(!key.contains('*') && key.matches(':').count() == 2, "{key}");
            assert!(!key.chars().any(char::is_control), "{key:?}");
            assert_eq!(seen.insert(key, (left, right)), None);
            let kept = pair(left, (*right).to_owned()).await;
            assert_eq!((kept.0.as_str(), kept.1.as_str()), (*left, *right));
            assert_eq!(pair(left, (*right).to_owned()).await, kept);
        }
    }
}

#[test]
fn text_is_escaped_and_the_template_is_not() {
    assert_eq!(pair::key("a:b", "50%*".to_owned()), "pair:a%3Ab:50%25%2A");
}

mod one {
    use larder::cached;

    #[cached(ttl = 60)]
    pub(crate) async fn get(id: u64) -> String {
        format!("one {id}")
    }
}

mod two {
    pub(crate) mod deeper {
        use larder::cached;

        #[cached(ttl = 60)]
        pub(crate) async fn get(id: u64) -> String {
            format!("two {id}")
        }
    }
}

#[tokio::test]
async fn functions_of_one_name_in_two_modules_do_not_meet() {
    assert_eq!(one::get(1).await, "one 1");
    assert_eq!(two::deeper::get(1).await, "two 1");
    assert_eq!(one::get::key(1), "macros_keys.one.get:1");
    assert_eq!(two::deeper::get::key(1), "macros_keys.two.deeper.get:1");
}

#[cached(ttl = 60)]
async fn by_default(name: &str, (x, y): (i32, i32), flag: bool, letter: char, address: IpAddr) -> u8 {
    let _ = (name, x, y, flag, letter, address);
    0
}

#[cached(ttl = 60)]
async fn typed<T: Send, const N: usize>(id: u8) -> u8 {
    id
}

#[cached(ttl = 60, skip(id, T))]
#[expect(clippy::extra_unused_type_parameters, reason = "it is to be skipped")]
async fn without<T: Send>(id: u8) -> u8 {
    id
}

#[cached(ttl = 60)]
async fn r#type(r#fn: u8) -> u8 {
    r#fn
}

#[test]
fn the_default_key_is_path_name_and_arguments() {
    let key = by_default::key("a b", (1, -2), true, ':', IpAddr::from([127, 0, 0, 1]));
    assert_eq!(key, "macros_keys.by_default:a b:1:-2:true:%3A:127.0.0.1");
    assert_eq!(typed::key::<Vec<u8>, 3>(1), "macros_keys.typed:alloc%3A%3Avec%3A%3AVec<u8>:3:1");
    assert_eq!(without::key(), "macros_keys.without");
    assert_eq!(r#type::key(1), "macros_keys.type:1");
}

struct User {
    id: u64,
    r#type: &'static str,
    name: Name,
    point: (u8, (u8, u8)),
}

struct Name(String);

impl Name {
    fn short(&self) -> Name {
        Name(self.0.chars().take(1).collect())
    }

    fn text(&self) -> &str {
        &self.0
    }
}

#[cached(
    ttl = 60,
    key = "{user:<user.id>}:<user.type>:<user.name.short().text()>:<user.name.0>:<user.point.1.0>x"
)]
async fn nested(user: &User) -> u8 {
    user.point.0
}

#[test]
fn placeholders_reach_into_values() {
    let user = User { id: 1, r#type: "admin", name: Name("Ann".to_owned()), point: (1, (2, 3)) };
    assert_eq!(nested::key(&user), "{user:1}:admin:A:Ann:2x");
    assert_eq!(user.point.1.1, 3);
}

#[derive(Clone, Serialize)]
struct Filter {
    max_price: Option<f64>,
    tags: HashSet<String>,
    by_name: HashMap<String, u8>,
}

impl Filter {
    fn new(max_price: Option<f64>, tags: &[&str]) -> Self {
        let texts = || tags.iter().map(|tag| (*tag).to_owned());
        Self { max_price, tags: texts().collect(), by_name: texts().zip(0..).collect() }
    }
}

#[cached(ttl = 60, key = "search:<filter:md5>:<words:md5>")]
async fn search(filter: &Filter, words: &[&str]) -> usize {
    filter.tags.len() + words.len()
}

#[cached(ttl = 60, key = "search-hashed:<filter:hash>", skip(unused))]
async fn search_hashed(filter: &Filter, unused: u8) -> Option<f64> {
    let _ = unused;
    filter.max_price
}

#[test]
fn a_digest_stands_for_a_value() {
    let key = search::key(&Filter::new(None, &["a", "b"]), &["x"]);
    let parts: Vec<_> = key.split(':').collect();
    assert_eq!(parts[0], "search");
    assert!(parts[1..].iter().all(|digest| digest.len() == 32), "{key}");
    assert_ne!(key, search::key(&Filter::new(None, &["b"]), &["x"]));
    assert_ne!(key, search::key(&Filter::new(None, &["a", "b"]), &["y"]));
    let hashed = search_hashed::key(&Filter::new(None, &["a", "b"]));
    let digest = hashed.strip_prefix("search-hashed:").unwrap();
    assert!(digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{hashed}");
    assert!(!key.contains(digest));
}

#[test]
fn equal_sets_have_one_digest_whatever_order_they_are_in() {
    let tags: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let filters: Vec<Filter> = (0..20).map(|_| Filter::new(Some(1.0), &tags)).collect();
    assert!(filters.iter().any(|filter| !filter.tags.iter().eq(filters[0].tags.iter())));
    for filter in &filters {
        assert_eq!(search::key(filter, &[]), search::key(&filters[0], &[]));
        assert_eq!(search_hashed::key(filter), search_hashed::key(&filters[0]));
    }
}

#[tokio::test]
async fn a_price_that_is_no_number_does_not_poison_the_list_without_one() {
    let filters = [Some(f64::NAN), Some(f64::INFINITY), Some(0.0), None].map(|price| Filter::new(price, &[]));
    for _ in 0..2 {
        for filter in &filters {
            let kept = search_hashed(filter, 0).await;
            assert_eq!(kept.map(f64::to_bits), filter.max_price.map(f64::to_bits));
        }
    }
    let keys: HashSet<String> = filters.iter().map(|filter| search::key(filter, &[])).collect();
    assert_eq!(keys.len(), filters.len());
}

/// A value that serde refuses has no key, and so shares none.
struct Refuses(u8);

impl Serialize for Refuses {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

static COMPUTED: AtomicU32 = AtomicU32::new(0);

#[cached(ttl = 60, key = "refuses:<value:hash>")]
async fn refuses(value: &Refuses) -> u8 {
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    value.0
}

#[tokio::test]
async fn a_value_without_a_digest_is_not_cached() {
    let before = larder::global().stats().refused_keys;
    assert_eq!(refuses(&Refuses(1)).await + refuses(&Refuses(2)).await, 3);
    assert_eq!(COMPUTED.load(Ordering::Relaxed), 2);
    assert!(larder::global().stats().refused_keys >= before + 2);
}

#[cached(ttl = 60, key = "path:<path>:<name>:<cow>")]
async fn on_disk(path: &Path, name: Arc<OsStr>, cow: Cow<'_, Path>) -> PathBuf {
    path.join(&*name).join(cow)
}

#[cfg(unix)]
#[tokio::test]
async fn paths_that_are_no_unicode_have_keys_of_their_own() {
    use std::os::unix::ffi::OsStrExt as _;

    let bytes: [&[u8]; 5] = [b"\xff", b"\xfe", "\u{fffd}".as_bytes(), b"%FF", b"a"];
    let mut keys = HashSet::new();
    for path in bytes {
        for name in bytes {
            let (path, name) = (Path::new(OsStr::from_bytes(path)), OsStr::from_bytes(name));
            assert!(keys.insert(on_disk::key(path, name.into(), path.into())));
            for _ in 0..2 {
                assert_eq!(on_disk(path, name.into(), path.into()).await, path.join(name).join(path));
            }
        }
    }
    assert_eq!(
        on_disk::key(Path::new("/a:b"), OsStr::new("c").into(), Path::new("d").into()),
        "path:/a%3Ab:c:d"
    );
}

#[cached(ttl = 60, key = "user:<id>", namespace = "tenants")]
async fn namespaced(id: u8) -> u8 {
    id
}

#[cached(ttl = 60, key = "<id>", namespace = "tenants:a", schema = 3)]
async fn with_schema(id: u8) -> u8 {
    id
}

#[test]
fn a_namespace_stands_in_front() {
    assert_eq!(namespaced::key(1), "tenants:user:1");
    assert_eq!(with_schema::key(1), "tenants:a:v3:1");
}

#[cached(ttl = 60, key = "generic:<value>", skip(T))]
async fn generic_display<T: std::fmt::Display + Sync>(value: &T) -> String {
    value.to_string()
}

#[test]
fn whatever_is_display_can_be_in_a_key() {
    assert_eq!(generic_display::key(&1.5), "generic:1.5");
    assert_eq!(generic_display::key(&"x"), "generic:x");
}

/// Of the two arguments one is compiled.
#[cached(ttl = 60, key = "alternatives:<id>", tags = ["alternatives:<id>"])]
async fn alternatives(#[cfg(any())] id: u64, #[cfg(not(any()))] id: String) -> String {
    id
}

#[larder::invalidate("alternatives:<id>")]
fn change_alternatives(#[cfg(any())] id: u64, #[cfg(not(any()))] id: &str) {
    let _ = id;
}

#[tokio::test]
async fn an_argument_with_alternatives_is_in_the_key() {
    assert_eq!(alternatives("a".to_owned()).await, "a");
    assert_eq!(alternatives("b".to_owned()).await, "b");
    assert_eq!(alternatives::key("a".to_owned()), "alternatives:a");
    let cache = larder::global();
    change_alternatives("b");
    let left =
        [cache.contains("alternatives:a").await.unwrap(), cache.contains("alternatives:b").await.unwrap()];
    assert_eq!(left, [true, false]);
}
