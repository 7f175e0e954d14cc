//! Tags for caches in front, and dropping what is stored.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::request::Parts;
use larder::{CacheExt as _, Invalidating, Scope};

use super::{HttpCache, header_name};
use crate::{config::OnPurge, purge::Purge};

impl HttpCache {
    /// Sends the tags of responses on, in these headers: for a CDN in front, which can then be purged by the same words. By
    /// default no tags are sent to clients.
    ///
    /// Each of the headers has all tags of the response: those of its [path](Self::tag), of its [extensions](crate::Caching),
    /// and of the headers `Surrogate-Key` and `Cache-Tag` of its handler. Commas separate them in `Cache-Tag` and `Edge-Cache-Tag`,
    /// blanks in all others; a tag that cannot be written so is left out, as are [groups](crate::cache_group), which have a header of
    /// their own. Responses that go past the cache have the tags of their handlers' headers only. Most CDNs remove the
    /// header; without one in front, all clients see the tags.
    ///
    /// ```
    /// # use larder_http::HttpCache;
    /// let cache = HttpCache::new(larder::global())
    ///     .tag("/users/<id>", "user:<id>")
    ///     .send_tags(["surrogate-key"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If a name is not a valid header name.
    pub fn send_tags<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<_> = names.into_iter().map(header_name).collect();
        self.with(|config| config.sent_tags = names)
    }

    /// Drops stored responses, in all processes, and calls the hooks of [`on_purge`](Self::on_purge).
    ///
    /// It is done here when this returns; the future tells how far the news has come, as that of
    /// [`invalidate`](larder::CacheExt::invalidate). Dropping it undoes nothing.
    ///
    /// ```
    /// use larder_http::{HttpCache, Purge};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let cache = HttpCache::new(larder::global());
    /// cache.purge([Purge::tag("user:7"), Purge::url("example.com", "/news?page=1")]).await;
    /// # }
    /// ```
    pub fn purge(&self, purges: impl IntoIterator<Item = Purge>) -> Invalidating {
        let purges: Vec<_> = purges.into_iter().collect();
        let invalidating = self.config.cache.invalidate(self.scopes(&purges));
        call(&self.config.on_purge, &purges);
        invalidating
    }

    /// Marks stored responses stale, in all processes, and calls the hooks of [`on_soft_purge`](Self::on_soft_purge).
    ///
    /// What is marked stays, and its lifetime has ended: it is served for its `stale-while-revalidate` while it is
    /// requested again, counted from now, and for its `stale-if-error` if its handler fails; it is validated with its `ETag`,
    /// so that one that is still current need not be made again. Without any of these it is requested again at once, as after
    /// [`purge`](Self::purge). `must-revalidate`, `proxy-revalidate`, `s-maxage` and `no-cache` forbid to serve it stale, as
    /// ever. It is sent on with an `Age` that is not less than its lifetime, so that no cache in front keeps it as a fresh one.
    ///
    /// A response that is marked is kept for so long as its windows, and at least for [`keep_stale`](Self::keep_stale). What
    /// `larder` marks stale, by [`mark_stale`](larder::CacheExt::mark_stale) or `#[invalidate(soft, …)]`, marks the responses
    /// that were made from it in the same way.
    ///
    /// It is done here when this returns, and the future tells how far the news has come.
    ///
    /// ```
    /// use larder_http::{HttpCache, Purge};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let cache = HttpCache::new(larder::global());
    /// cache.soft_purge([Purge::tag("prices")]).await;
    /// # }
    /// ```
    pub fn soft_purge(&self, purges: impl IntoIterator<Item = Purge>) -> Invalidating {
        let purges: Vec<_> = purges.into_iter().collect();
        let marking = self.config.cache.mark_stale(self.scopes(&purges));
        call(&self.config.on_soft_purge, &purges);
        marking
    }

    fn scopes(&self, purges: &[Purge]) -> Vec<Scope> {
        let (sorted, variations) = (self.config.sort_query, self.config.no_vary_search);
        purges.iter().flat_map(|purge| purge.scopes(sorted, variations)).collect()
    }

    /// Calls `hook` with what is purged through this cache and its clones, to purge caches in front as well: by
    /// [`purge`](Self::purge), by `PURGE` ([`accept_purge`](Self::accept_purge)), by unsafe requests to URLs, and by
    /// `Cache-Group-Invalidation`.
    ///
    /// It is called after the responses were dropped here, in this process alone, on the thread of the request: it should
    /// send what it has to send in a task of its own. Invalidations of the `larder` cache itself, such as those of
    /// `#[invalidate]`, do not call it; neither do those of other processes.
    ///
    /// ```
    /// # use larder_http::{HttpCache, Purge};
    /// let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Purge>();
    /// let cache = HttpCache::new(larder::global()).on_purge(move |purges| {
    ///     for purge in purges {
    ///         // A task at the other end sends them to the CDN.
    ///         let _ = sender.send(purge.clone());
    ///     }
    /// });
    /// ```
    pub fn on_purge(self, hook: impl Fn(&[Purge]) + Send + Sync + 'static) -> Self {
        self.with(|config| config.on_purge.push(Arc::new(hook)))
    }

    /// Calls `hook` with what is marked stale through this cache and its clones, to do the same in caches in front: by
    /// [`soft_purge`](Self::soft_purge), and by `PURGE` with `Fastly-Soft-Purge: 1`. The hooks of
    /// [`on_purge`](Self::on_purge) do not hear of it. Otherwise as there.
    pub fn on_soft_purge(self, hook: impl Fn(&[Purge]) + Send + Sync + 'static) -> Self {
        self.with(|config| config.on_soft_purge.push(Arc::new(hook)))
    }

    /// Answers requests with the method `PURGE` for which `is_allowed` returns true: the stored responses of their URL are
    /// dropped, or those with the tags in their `Surrogate-Key` or `Cache-Tag` header if they have one; with
    /// `Fastly-Soft-Purge: 1` they are [marked stale](Self::soft_purge). The answer is 204, and 403 to all others. By default
    /// they go to the handler, as all methods that are not known.
    ///
    /// `is_allowed` decides who may make handlers work: let it compare a secret, or the address of the client.
    ///
    /// ```
    /// # use larder_http::HttpCache;
    /// let cache = HttpCache::new(larder::global()).accept_purge(|request| {
    ///     request.headers.get("authorization").is_some_and(|secret| secret == "Bearer of the deployment")
    /// });
    /// ```
    pub fn accept_purge(self, is_allowed: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|config| config.may_purge = Some(Arc::new(is_allowed)))
    }
}

fn call(hooks: &[OnPurge], purges: &[Purge]) {
    for hook in hooks.iter().filter(|_| !purges.is_empty()) {
        // The user's. It must not end a request that was answered.
        if catch_unwind(AssertUnwindSafe(|| hook(purges))).is_err() {
            tracing::error!(
                "a hook of `HttpCache::on_purge` or `on_soft_purge` panicked: caches in front may keep what was purged here"
            );
        }
    }
}
