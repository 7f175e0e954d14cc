//! At TRACE, spans name keys.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

#[path = "support/spans.rs"]
#[expect(dead_code, reason = "another test uses the rest")]
mod spans;

use std::{convert::Infallible, time::Duration};

use larder::{CacheExt, MemoryCache, Policy, Scope};
use tracing::Level;

use self::spans::{listen, seen};

#[tokio::test]
async fn keys_are_named() {
    listen(Level::TRACE);
    let cache = MemoryCache::new(10);
    let policy = Policy::ttl(Duration::from_secs(60));
    cache.get_or_compute("user:7", &policy, || async { Ok::<_, Infallible>(1) }).await.unwrap();
    let names: Vec<_> = seen("key", "user:7").iter().map(|span| span.name).collect();
    assert_eq!(names, ["larder.get", "larder.compute"]);
    cache.invalidate([Scope::key("user:7"), Scope::prefix("user"), Scope::tag("org:7"), Scope::all()]).await;
    assert_eq!(seen("what", "user:7, user:*, tag org:7, *").len(), 1);
}
