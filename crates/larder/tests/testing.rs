//! Each test with installed caches of its own.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod support;

use larder::{
    CacheExt, MemoryCache, cached, global, install, install_as, named,
    testing::{in_isolation, isolate, isolated},
};

use self::support::{Calls, long};

#[cached(ttl = 60, key = "value:<id>", skip(calls))]
async fn value(calls: &Calls, id: u32) -> u32 {
    calls.call();
    id
}

#[cached(ttl = 60, key = "in_task:<id>", spawn)]
async fn in_task(id: u32) -> u64 {
    global().stats().computations + u64::from(id) * 100
}

/// What each of several tests does that know nothing of each other.
async fn a_test() {
    let cache = MemoryCache::new(10);
    install(cache.clone()).unwrap();
    install_as("sessions", MemoryCache::new(10)).unwrap();
    assert!(
        install(MemoryCache::new(10)).unwrap_err().is_already_installed(),
        "twice in one test is an error still"
    );
    let calls = Calls::default();
    value(&calls, 1).await;
    value(&calls, 1).await;
    assert_eq!(calls.made(), 1, "no other test's value is served");
    assert_eq!(cache.get("value:1").await.unwrap(), Some(1_u32));
    named("sessions").insert("key", &1, long()).await.unwrap();
}

#[tokio::test]
async fn a_first_one() {
    let _own = isolate();
    a_test().await;
}

#[tokio::test]
async fn a_second_one() {
    let _own = isolate();
    // Tasks of this runtime run on this thread.
    tokio::spawn(a_test()).await.unwrap();
    assert!(install(MemoryCache::new(10)).unwrap_err().is_already_installed());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once() {
    let tests: Vec<_> = (0..8).map(|_| tokio::spawn(isolated(a_test()))).collect();
    for test in tests {
        test.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_test_share_its_caches() {
    let _own = isolate();
    global().insert("key", &1, long()).await.unwrap();
    let task = tokio::spawn(in_isolation(async {
        tokio::task::yield_now().await;
        let inner = tokio::spawn(in_isolation(async { global().get::<i32>("key").await.unwrap() }));
        inner.await.unwrap()
    }));
    assert_eq!(task.await.unwrap(), Some(1));
    assert_eq!(
        in_task(1).await,
        101,
        "a computation in a task of its own counts for the cache of its caller"
    );
    let thread = std::thread::spawn(|| global().stats());
    assert_eq!(thread.join().unwrap().stores, 0, "a thread that is not told uses the caches of the process");
}

#[test]
fn it_ends_with_its_guard() {
    let before = std::ptr::from_ref(global());
    {
        let _outer = isolate();
        let outer = std::ptr::from_ref(global());
        assert_ne!(outer, before);
        {
            let _inner = isolate();
            assert_ne!(std::ptr::from_ref(global()), outer);
        }
        assert_eq!(std::ptr::from_ref(global()), outer);
    }
    assert_eq!(std::ptr::from_ref(global()), before);
}
