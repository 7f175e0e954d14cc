//! A program that installs its caches at its start.

mod support;

use larder::{CacheExt, MemoryCache, cached, global, install, install_as, named};

use self::support::{Calls, long};

#[cached(ttl = 60, key = "cached:<id>", skip(calls))]
async fn in_global(calls: &Calls, id: u32) -> u32 {
    calls.call();
    id
}

#[tokio::test]
async fn what_is_installed_is_used() {
    let (main, sessions) = (MemoryCache::new(10), MemoryCache::new(10));
    install(main.clone()).unwrap();
    install_as("sessions", sessions.namespace("s")).unwrap();

    global().insert("key", &1, long()).await.unwrap();
    assert_eq!(main.get("key").await.unwrap(), Some(1));
    named("sessions").insert("key", &2, long()).await.unwrap();
    assert_eq!(sessions.get("s:key").await.unwrap(), Some(2), "also a namespace");
    named("sessions").namespace("inner").insert("key", &3, long()).await.unwrap();
    assert_eq!(sessions.get("s:inner:key").await.unwrap(), Some(3));
    named("sessions").invalidate("*");
    assert!(!sessions.contains("s:key").await.unwrap());

    let calls = Calls::default();
    assert_eq!((in_global(&calls, 7).await, in_global(&calls, 7).await), (7, 7));
    assert_eq!(calls.made(), 1);
    main.invalidate("cached:7");
    in_global(&calls, 7).await;
    assert_eq!(calls.made(), 2);

    for error in [install(MemoryCache::new(10)), install_as("sessions", MemoryCache::new(10))] {
        let error = error.unwrap_err();
        assert!(error.is_already_installed());
        assert!(error.to_string().contains("is already installed"), "{error}");
    }
    assert_eq!(global().get("key").await.unwrap(), Some(1), "refusals change nothing");
}
