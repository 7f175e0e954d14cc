//! A program that installs nothing: the first use of a name fixes an in-process cache for it.

mod support;

use larder::{CacheExt, MemoryCache, global, install, install_as, named};

use self::support::long;

#[tokio::test]
async fn the_first_use_fixes_a_default() {
    global().insert("key", &1, long()).await.unwrap();
    assert_eq!(global().get("key").await.unwrap(), Some(1));
    let error = install(MemoryCache::new(10)).unwrap_err();
    assert!(error.is_already_installed());
    assert!(error.to_string().contains("\"global\" was used before it was installed"), "{error}");

    named("sessions").insert("key", &2, long()).await.unwrap();
    assert_eq!(named("sessions").get("key").await.unwrap(), Some(2));
    assert_eq!(named("other").get::<i32>("key").await.unwrap(), None, "each name has a cache of its own");
    assert_eq!(named("global").get::<i32>("key").await.unwrap(), None, "this one too");
    let error = install_as("sessions", MemoryCache::new(10)).unwrap_err();
    assert!(error.is_already_installed());
    assert!(error.to_string().contains("\"sessions\" was used before it was installed"), "{error}");

    install_as("late", MemoryCache::new(10)).unwrap();
    assert!(std::ptr::eq(named("late"), named("late")));
    assert_eq!(global().get("key").await.unwrap(), Some(1), "refusals change nothing");
}
