//! One call of a cached function.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::Future,
    panic::Location,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    cache::{Cache, Invalidating},
    error_sharing::{Sharing, Unshared},
    key::Key,
    panic_guard,
    policy::{Lock, Policy},
    private::output_kind::{Fallible, Plain},
    read_through::{self, Missed},
    scope::Scope,
    value::Value,
};

/// One call of a cached function: the cache, and the full key.
#[derive(Debug)]
pub struct Call<'c, C: ?Sized> {
    cache: &'c C,
    key: String,
    /// Whether a part of the key had no text: it is that of no entry.
    failed: bool,
    /// Computes anew, whatever the cache has.
    refreshing: bool,
    missed: Missed,
}

impl<'c, C: Cache + ?Sized> Call<'c, C> {
    /// With the key that `build` writes.
    pub fn new(cache: &'c C, build: impl FnOnce(&mut Key)) -> Self {
        let mut key = Key::default();
        key.literal(cache.prefix());
        build(&mut key);
        Self::missed(cache, &key, false, None)
    }

    /// The value of a hit, or else the call, to go on with. Without `look`, the call is one that refreshes.
    ///
    /// This is all that a hit runs through: the key stays on the stack, and is not even moved.
    #[inline]
    fn begin<V: Value>(cache: &'c C, look: bool, build: impl FnOnce(&mut Key)) -> Result<V, Self> {
        let mut key = Key::default();
        if !cache.prefix().is_empty() {
            key.literal(cache.prefix());
        }
        build(&mut key);
        if look && !key.failed() {
            read_through::look(cache, key.as_str())
                .map_err(|missed| Self::missed(cache, &key, false, Some(missed)))
        } else {
            Err(Self::missed(cache, &key, !look, None))
        }
    }

    #[inline(never)]
    fn missed(cache: &'c C, key: &Key, refreshing: bool, missed: Option<Missed>) -> Self {
        let missed = missed.unwrap_or_else(|| Missed::without_lookup(cache.core(), key.as_str()));
        Self { cache, key: key.as_str().to_owned(), failed: key.failed(), refreshing, missed }
    }

    /// The full key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The full key.
    #[must_use]
    pub fn into_key(self) -> String {
        self.key
    }

    /// Invalidates the key.
    pub fn invalidate(self) -> Invalidating {
        self.cache.storage().apply(&[Scope::key(self.key)])
    }

    /// The key, or one that is refused if a part of it had no text.
    fn usable_key(&self) -> &str {
        if self.failed { "" } else { &self.key }
    }
}

// The kinds' methods are no trait's: a trait's associated types inside a future would have to be proven
// again, for any lifetime in an error such as `Box<dyn Error + Send + Sync>`, to see that the future is
// `Send`, and rustc cannot do that.

impl<T, E, S> Fallible<T, E, S> {
    /// The output of a hit that needs nothing but a look, or else the call, with the key that `build` writes. Without
    /// `look`, the call is one that refreshes.
    ///
    /// # Errors
    ///
    /// If there is more to do.
    #[inline]
    pub fn begin<'c, C: Cache + ?Sized>(
        self,
        cache: &'c C,
        look: bool,
        build: impl FnOnce(&mut Key),
    ) -> Result<Result<T, E>, Call<'c, C>>
    where
        T: Value,
    {
        Call::begin(cache, look, build).map(Ok)
    }

    /// Everything but that: the store, other callers' computations, the function's own body. A call that refreshes runs
    /// the body at once, and stores its value.
    pub async fn compute<C, F>(self, call: Call<'_, C>, policy: Policy, body: F) -> Result<T, E>
    where
        C: Cache + ?Sized,
        T: Value,
        E: Send + 'static,
        S: Sharing<E>,
        F: Future<Output = Result<T, E>>,
    {
        let at = (call.cache, call.usable_key());
        if call.refreshing {
            return read_through::refresh(at, call.missed.clone(), &policy, move || body).await;
        }
        read_through::get_or_compute(at, call.missed.clone(), &policy, self.0, move || body).await
    }

    /// The same, with the body in a task of its own. `start` runs when a computation starts.
    pub async fn compute_background<C, F>(
        self,
        call: Call<'_, C>,
        policy: Policy,
        start: impl FnOnce() -> F + Send,
    ) -> Result<T, E>
    where
        C: Cache + ?Sized,
        T: Value,
        E: Send + 'static,
        S: Sharing<E>,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let at = (call.cache, call.usable_key());
        if call.refreshing {
            return read_through::refresh(at, call.missed.clone(), &policy, start).await;
        }
        read_through::get_or_compute_background(at, call.missed.clone(), &policy, self.0, start).await
    }

    /// The value in an output.
    pub fn value(self, output: &Result<T, E>) -> Option<&T> {
        output.as_ref().ok()
    }
}

impl<R> Plain<R> {
    /// As [`Fallible::begin`].
    ///
    /// # Errors
    ///
    /// If there is more to do.
    #[inline]
    pub fn begin<'c, C: Cache + ?Sized>(
        self,
        cache: &'c C,
        look: bool,
        build: impl FnOnce(&mut Key),
    ) -> Result<R, Call<'c, C>>
    where
        R: Value,
    {
        Call::begin(cache, look, build)
    }

    /// As [`Fallible::compute`].
    pub async fn compute<C, F>(self, call: Call<'_, C>, policy: Policy, body: F) -> R
    where
        C: Cache + ?Sized,
        R: Value,
        F: Future<Output = R>,
    {
        let at = (call.cache, call.usable_key());
        let compute = move || infallible(body);
        if call.refreshing {
            let Ok(value) = read_through::refresh(at, call.missed.clone(), &policy, compute).await;
            return value;
        }
        let Ok(value) =
            read_through::get_or_compute(at, call.missed.clone(), &policy, Unshared, compute).await;
        value
    }

    /// As [`Fallible::compute_background`].
    pub async fn compute_background<C, F>(
        self,
        call: Call<'_, C>,
        policy: Policy,
        start: impl FnOnce() -> F + Send,
    ) -> R
    where
        C: Cache + ?Sized,
        R: Value,
        F: Future<Output = R> + Send + 'static,
    {
        let at = (call.cache, call.usable_key());
        let start = move || infallible(start());
        if call.refreshing {
            let Ok(value) = read_through::refresh(at, call.missed.clone(), &policy, start).await;
            return value;
        }
        let Ok(value) =
            read_through::get_or_compute_background(at, call.missed.clone(), &policy, Unshared, start).await;
        value
    }

    /// The value in an output.
    pub fn value(self, output: &R) -> Option<&R> {
        Some(output)
    }
}

async fn infallible<R>(body: impl Future<Output = R>) -> Result<R, Infallible> {
    Ok(body.await)
}

/// A [`Policy`] that was checked at compile time.
#[derive(Debug)]
#[must_use]
pub struct Options(Policy);

impl Options {
    /// With a `ttl`. One of zero is reported, once for each function.
    #[track_caller]
    pub fn new(ttl: Duration) -> Self {
        if ttl.is_zero() {
            report_zero_ttl(Location::caller());
        }
        Self(Policy::ttl(ttl))
    }

    /// See [`PolicyBuilder`](crate::PolicyBuilder) for this and all that follow.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.0.jitter = fraction;
        self
    }

    /// See above.
    pub fn refresh_ahead(mut self, fraction: f64) -> Self {
        self.0.refresh_ahead = Some(fraction);
        self
    }

    /// See above.
    pub fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.0.stale_while_revalidate = window;
        self
    }

    /// See above.
    pub fn stale_if_error(mut self, window: Duration) -> Self {
        self.0.stale_if_error = window;
        self
    }

    /// See above.
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.0.negative_ttl = ttl;
        self
    }

    /// See above.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = Some(timeout);
        self
    }

    /// See above. A tag with a part that has no text covers nothing.
    pub fn tag(mut self, build: impl FnOnce(&mut Key)) -> Self {
        let mut tag = Key::default();
        build(&mut tag);
        if !tag.failed() {
            self.0.tags.push(tag.into_string());
        }
        self
    }

    /// See above.
    pub fn lock(mut self, lock: Lock) -> Self {
        self.0.lock = Some(lock);
        self
    }

    /// See above.
    pub fn schema(mut self, version: u32) -> Self {
        self.0.schema = Some(version);
        self
    }

    /// See above.
    pub fn detached(mut self) -> Self {
        self.0.detached = true;
        self
    }

    /// See above.
    pub fn spawn(mut self) -> Self {
        self.0.spawn = true;
        self
    }

    /// See above.
    pub fn takeover_after(mut self, limit: Duration) -> Self {
        self.0.set_takeover_after(limit);
        self
    }

    /// The policy.
    pub fn policy(self) -> Policy {
        self.0
    }
}

/// Only an expression can give zero: a zero that is written does not compile.
#[cold]
fn report_zero_ttl(function: &'static Location<'static>) {
    /// The functions reported so far.
    static REPORTED: Mutex<BTreeSet<&'static Location<'static>>> = Mutex::new(BTreeSet::new());
    let first = REPORTED.lock().unwrap_or_else(PoisonError::into_inner).insert(function);
    if first {
        panic_guard::report!(
            warn,
            %function,
            "the `ttl` of a cached function is zero: nothing is stored, and every call runs the function; give it a \
             length of time, or switch the cache off with `when = …`"
        );
    }
}

/// A fraction between 0 and 1; anything else does not compile, where this is evaluated at compile time.
#[must_use]
pub const fn fraction(name: &'static str, value: f64) -> f64 {
    if value >= 0.0 && value <= 1.0 {
        return value;
    }
    match name.as_bytes() {
        b"jitter" => panic!("`jitter` is a fraction between 0 and 1"),
        b"refresh_ahead" => panic!("`refresh_ahead` is a fraction between 0 and 1"),
        _ => panic!("a fraction lies between 0 and 1"),
    }
}
