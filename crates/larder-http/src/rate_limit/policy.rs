//! A rate limit in front of handlers: who is counted, and what it is called.

use std::{fmt, sync::Arc};

use larder::limit::{Decision, Limiter};

/// A rate limit in front of handlers: a layer for Axum and other tower services ([`tower`](RateLimit::tower)), and a middleware
/// for Actix Web ([`actix`](RateLimit::actix)). Cheap to clone. With the feature `limit`.
///
/// A function of the request says by which key it is counted: see [`ClientAddress`](crate::ClientAddress) for addresses. A
/// request without a key is not limited. One that comes too fast is answered with `429 Too Many Requests`, without calling the
/// handler: with `Retry-After`, a body of the type `quota-exceeded` (`application/problem+json`), and `Cache-Control: no-store`,
/// because such a response must not be stored (RFC 6585, section 4). Where the limiter
/// [fails closed](larder::limit::FailureMode::Closed) and its server cannot be asked, the status is 503.
///
/// All responses to requests that were counted have the fields of the IETF's current draft,
/// `draft-ietf-httpapi-ratelimit-headers-11` (May 2026), which are lists of structured fields:
///
/// ```http
/// RateLimit-Policy: "default";q=100;w=60
/// RateLimit: "default";r=42;t=1
/// ```
///
/// `q` and `w` are the units of the rate and its period in seconds, which is left out if it is not whole seconds. `r` is how
/// many requests would be admitted now, `t` in how many seconds, rounded up, there is one more. Of a request that is refused
/// `r` is 0, and `t` is the same as `Retry-After`. Where the server could not be asked, there are neither. Several limits, one
/// inside of the other, each add their own members: give them [names](Self::named).
///
/// In front of a cache of responses it counts hits too; behind it, it is asked only for what the cache does not have, and
/// what it says is stored with the response: put it in front.
#[must_use = "a limit does nothing until it is put in front of a handler"]
pub struct RateLimit<K: ?Sized> {
    pub(super) limiter: Limiter,
    pub(super) name: Arc<str>,
    pub(super) key: Arc<K>,
}

impl<K: ?Sized> RateLimit<K> {
    pub(super) fn new(limiter: Limiter, key: Arc<K>) -> Self {
        Self { limiter, name: "default".into(), key }
    }

    /// What the limit is called in the response's fields: `default` unless this is called.
    ///
    /// # Panics
    ///
    /// If it is not printable ASCII, which is what such a name consists of.
    pub fn named(mut self, name: &str) -> Self {
        let printable = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        assert!(printable, "the name of a limit is printable ASCII, and {name:?} is not");
        self.name = name.into();
        self
    }

    pub(super) async fn decide(&self, key: &str) -> Decision {
        self.limiter.check(key).await
    }
}

impl<K: ?Sized> Clone for RateLimit<K> {
    fn clone(&self) -> Self {
        Self { limiter: self.limiter.clone(), name: self.name.clone(), key: self.key.clone() }
    }
}

impl<K: ?Sized> fmt::Debug for RateLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limiter, name, .. } = self;
        f.debug_struct("RateLimit").field("name", name).field("limiter", limiter).finish_non_exhaustive()
    }
}
