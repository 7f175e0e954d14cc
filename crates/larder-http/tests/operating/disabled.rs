//! Behind a cache that is disabled, a handler is called as if there was no cache.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use larder::{CacheExt, MemoryCache};
use larder_http::HttpCache;

use crate::support::{Said, client::get, handler, servers::Framework};

#[tokio::test(flavor = "multi_thread")]
async fn each_request_reaches_the_handler_until_it_is_enabled_again() {
    for framework in Framework::ALL {
        let (cache, calls) = (MemoryCache::new(100), Arc::new(AtomicUsize::new(0)));
        let counted = calls.clone();
        let handler = handler(move |_| {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            async move { Said::new(&[("cache-control", "max-age=60")], number.to_string()) }
        });
        let server = framework.serve(HttpCache::new(cache.clone()), handler).await;
        let ask = async || get(server.address, "/", &[]).await.text().to_owned();
        assert_eq!((ask().await, ask().await), ("0".to_owned(), "0".to_owned()));
        cache.disable();
        assert_eq!((ask().await, ask().await), ("1".to_owned(), "2".to_owned()));
        let status = get(server.address, "/", &[]).await;
        let status = status.header("cache-status").unwrap_or_default().to_owned();
        assert!(!status.contains("hit") && !status.contains("stored"), "{status}");
        cache.enable();
        assert_eq!(ask().await, "0", "what was stored before is valid still");
    }
}
