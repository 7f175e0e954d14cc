//! Values without serde, which stay in their process: by attribute and by hand.

mod support;

use std::{
    convert::Infallible,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use larder::{Cache, CacheExt, MemoryCache, Policy, Scope, cache_put, cached, invalidate};

use self::support::{eventually, long};

/// Neither `Serialize` nor `Debug` nor `PartialEq`, and compared by what it does.
#[derive(Clone)]
struct Template(Arc<dyn Fn(&str) -> String + Send + Sync>);

fn template(greeting: &str) -> Template {
    let greeting = greeting.to_owned();
    Template(Arc::new(move |name| format!("{greeting}, {name}!")))
}

impl Template {
    fn render(&self) -> String {
        (self.0)("Ada")
    }
}

static CACHE: LazyLock<MemoryCache> = LazyLock::new(|| MemoryCache::new(1_000));

/// Of one whose clock is turned forward.
static AGING: LazyLock<MemoryCache> = LazyLock::new(|| MemoryCache::new(1_000));
static COMPILED: AtomicUsize = AtomicUsize::new(0);

#[cached(ttl = 300, key = "compiled:<greeting>", tags = ["templates"], negative_ttl = 60, local)]
async fn compiled(greeting: &str) -> Result<Option<Template>, String> {
    COMPILED.fetch_add(1, Ordering::SeqCst);
    match greeting {
        "" => Err("there is no greeting".to_owned()),
        "-" => Ok(None),
        _ => Ok(Some(template(greeting))),
    }
}

#[invalidate(tags = ["templates"])]
async fn edit() {}

#[tokio::test]
async fn an_attribute_keeps_it() {
    let count = || COMPILED.swap(0, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(compiled("Hello").await.unwrap().unwrap().render(), "Hello, Ada!");
        assert!(compiled("-").await.unwrap().is_none());
        assert_eq!(compiled("").await.err().as_deref(), Some("there is no greeting"));
    }
    assert_eq!(count(), 4, "an error is not kept, a `None` is");
    edit().await;
    assert!(compiled("Hello").await.is_ok() && compiled("-").await.is_ok());
    assert_eq!(count(), 2);
    compiled::invalidate("Hello").await;
    assert!(compiled::refresh("Hello").await.is_ok() && compiled("Hello").await.is_ok());
    assert_eq!(count(), 1);
    let kept: Option<Option<Template>> = larder::global().local().get(&compiled::key("Hello")).unwrap();
    assert!(kept.flatten().is_some());
}

static AGAIN: AtomicUsize = AtomicUsize::new(0);

#[cached(ttl = 60, key = "again:<id>", cache = *AGING, stale_while_revalidate = 60, local)]
async fn again(id: u64) -> (u64, Template) {
    (AGAIN.fetch_add(1, Ordering::SeqCst) as u64 + id, template("Again"))
}

#[cached(ttl = 60, key = "absent:<id>", cache = *CACHE, local, when = id > 0)]
async fn absent(id: u64) -> Option<Template> {
    AGAIN.fetch_add(100, Ordering::SeqCst);
    (id > 1).then(|| template("Absent"))
}

#[tokio::test]
async fn it_is_refreshed_in_the_background() {
    assert_eq!(again(0).await.0, 0);
    AGING.core().advance(Duration::from_secs(90));
    assert_eq!(again(0).await.0, 0, "the old one meanwhile");
    eventually(|| AGAIN.load(Ordering::SeqCst) % 100 == 2).await;
    while again(0).await.0 == 0 {
        tokio::task::yield_now().await;
    }
    for id in [0, 0, 1, 1, 2, 2] {
        assert_eq!(absent(id).await.is_some(), id == 2);
    }
    assert_eq!(AGAIN.load(Ordering::SeqCst) / 100, 5, "without `negative_ttl` a `None` is not kept");
}

#[cache_put(ttl = 60, key = "put:<id>", cache = *CACHE, local)]
async fn put(id: u64, greeting: &str) -> Result<Template, String> {
    if greeting.is_empty() { Err("no".into()) } else { Ok(template(greeting)) }
}

#[tokio::test]
async fn it_can_be_put_and_invalidated() {
    let kept = || CACHE.local().get::<Template>("put:1").unwrap().map(|kept| kept.render());
    assert!(put(1, "Bye").await.is_ok());
    assert_eq!(kept().as_deref(), Some("Bye, Ada!"));
    assert!(put(1, "").await.is_err());
    assert_eq!(kept(), None);
}

#[tokio::test]
async fn by_hand_it_is_an_entry_as_any_other() {
    let cache = MemoryCache::new(100);
    let namespace = cache.namespace("n");
    let tagged = Policy::builder().ttl(Duration::from_secs(60)).tag("t").build().unwrap();
    let make = async || Ok::<_, Infallible>(template("Hi"));
    for scope in [Scope::key("n:key"), Scope::prefix("n"), Scope::tag("t"), Scope::all()] {
        namespace.local().get_or_compute("key", &tagged, make).await.unwrap_or_else(|never| match never {});
        assert!(cache.local().get::<Template>("n:key").unwrap().is_some(), "{scope:?}");
        cache.invalidate(scope).await;
        assert!(cache.local().get::<Template>("n:key").unwrap().is_none());
    }
    let outer = || async {
        let Ok(inner) = cache.local().get_or_compute_shared("inner", long(), make).await;
        Ok::<_, Infallible>(inner.render())
    };
    assert_eq!(
        cache.get_or_compute_background("outer", long(), || async { Ok::<_, Infallible>(1) }).await,
        Ok(1)
    );
    assert_eq!(cache.get_or_compute("rendered", long(), outer).await.as_deref(), Ok("Hi, Ada!"));
    cache.invalidate("inner").await;
    assert_eq!(cache.get::<String>("rendered").await.unwrap(), None, "what was made of it goes too");

    let since = cache.begin();
    cache.invalidate("late").await;
    cache.local().insert_since(since, "late", &template("Late"), long()).await.unwrap();
    assert!(cache.local().get::<Template>("late").unwrap().is_none());

    let make = || async { Ok::<_, Infallible>(template("Hi")) };
    let Ok(value) = cache.local().get_or_compute_background("task", long(), make).await;
    assert_eq!(value.render(), "Hi, Ada!");
    assert!(cache.local().get::<Template>("").is_err());
}
