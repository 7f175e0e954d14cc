//! The old value in hand while a new one is computed.

use std::{fmt, marker::PhantomData, ops::Deref, sync::Arc, time::Duration};

use super::{Context, Frame, add, add_foreign};
use crate::{
    entry::Entry,
    mutant::{self, Rule},
    sync::lock,
};

/// The old value under the key of the computation that is running: see [`Context::previous`]. It can be read as a `&T`.
pub struct Previous<T> {
    entry: Entry,
    age: Duration,
    frame: Arc<Frame>,
    value: PhantomData<fn() -> T>,
}

impl Context {
    /// The old value, which the computation that is running is to replace: for conditional requests, and for queries of
    /// what has changed since.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::cached;
    ///
    /// #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// struct Page { etag: String, text: String }
    ///
    /// # struct Response { status: u16, etag: String, text: String }
    /// # async fn request(_: &str, if_none_match: Option<&str>) -> Result<Response, String> {
    /// #     let status = if if_none_match == Some("\"1\"") { 304 } else { 200 };
    /// #     Ok(Response { status, etag: "\"1\"".into(), text: "hello".into() })
    /// # }
    /// #[cached(ttl = "1m", stale_if_error = "1d", key = "page:<url:hash>")]
    /// async fn page(url: &str) -> Result<Page, String> {
    ///     let old = larder::context().previous::<Page>();
    ///     let response = request(url, old.as_ref().map(|page| &*page.etag)).await?;
    ///     match old {
    ///         Some(old) if response.status == 304 => Ok(old.keep()), // fresh for another minute
    ///         _ => Ok(Page { etag: response.etag, text: response.text }),
    ///     }
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), String> {
    /// page("https://example.org/").await?;
    /// # #[cfg(feature = "test-util")] {
    /// # use larder::Cache as _;
    /// # larder::global().core().advance(Duration::from_secs(90));
    /// page("https://example.org/").await?; // asks whether it has changed
    /// # use larder::CacheExt as _;
    /// assert_eq!(larder::global().stats().kept, 1);
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// There is one while the cache keeps what is past its `ttl`, in memory or in Redis, which the stale windows of the policy
    /// say: `stale_if_error` keeps it without serving it to callers, unless the computation fails. In a refresh, ahead
    /// of the end of `ttl` or after it, the old value is there too; so it is for functions that are not async.
    ///
    /// None, if there is nothing of the kind, and
    /// - if something that covers the old value was invalidated, at any time until this call, or marked stale: it may not be
    ///   what it was, and is computed as if there was none;
    /// - if it is of another type: `T` is the type that is stored, the `Ok` of a `Result`, with its `Option`;
    /// - where a call replaces what is there without a look (`user::refresh`), in batches, and outside of computations.
    ///
    /// By [the one rule](crate::guide::one_rule), all that covered the old value covers the new one, whatever becomes of it:
    /// its tags, and what it was computed from, `detached` or not. Its time begins anew, with the policy of this
    /// computation and what it says of its `ttl`. Costs what a hit costs, and no clone.
    #[must_use]
    pub fn previous<T: 'static>(&self) -> Option<Previous<T>> {
        let frame = self.frame.as_ref()?;
        let (entry, epochs, age) = frame.previous.as_ref()?.usable()?;
        entry.value::<T>()?;
        if !mutant::is(Rule::PreviousNotRecorded) {
            let mut state = lock(&frame.state);
            state.records += 1;
            add(&mut state.reads, epochs, entry.0.scopes().iter().copied());
            add_foreign(&mut state.reads, entry.0.foreign_dependencies());
        }
        Some(Previous { entry: entry.clone(), age, frame: frame.clone(), value: PhantomData })
    }
}

impl<T: Clone + 'static> Previous<T> {
    /// Says that the value has not changed, and gives it back, to be returned by the computation. It is stored as what the
    /// computation gave, and counted as [`kept`](crate::CacheStats::kept).
    #[must_use = "the computation has to return it"]
    pub fn keep(self) -> T {
        lock(&self.frame.state).decisions.kept = true;
        (*self).clone()
    }
}

impl<T> Previous<T> {
    /// How long ago it was stored, by whichever process, when it was asked for.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age
    }
}

impl<T: 'static> Deref for Previous<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.entry.value().expect("the type was looked at")
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Previous<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Previous").field("value", &**self).field("age", &self.age).finish_non_exhaustive()
    }
}
