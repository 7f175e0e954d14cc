//! Guards of functions that change the data: they change the cache too, however the function ends.

use std::sync::Arc;

use super::named_functions::ToInvalidate;
use crate::{
    block_on::block_on,
    cache::{Cache, Invalidating, Strength},
    deferred,
    epoch::ReadVersion,
    error::Error,
    key::Key,
    log_throttle::LogThrottle,
    panic_guard::{self, Contained},
    policy::Policy,
    read_through::Wanted,
    scope::Scope,
    typed::insert,
    value::{LocalValue, Value},
};

/// Invalidates when the function has ended, or when the guard is dropped before: a panic or a cancellation may have come
/// after the change.
pub struct Invalidate<'c, C: Cache + ?Sized> {
    /// That of texts, if there are any.
    cache: Option<&'c C>,
    on_ok_only: bool,
    strength: Strength,
    /// False if a condition says so.
    applies: bool,
    scopes: Vec<Scope>,
    /// What cached functions keep, in caches of their own.
    functions: Vec<(Arc<dyn Cache>, Scope)>,
    /// Invalidates in place of this, after a transaction.
    deferred: Option<Arc<deferred::State>>,
}

impl<'c, C: Cache + ?Sized> Invalidate<'c, C> {
    /// Of nothing yet.
    pub fn new(cache: &'c C, on_ok_only: bool) -> Self {
        let mut guard = Self::without_cache(on_ok_only);
        guard.cache = Some(cache);
        guard
    }

    fn without_cache(on_ok_only: bool) -> Self {
        let deferred = deferred::current();
        Self {
            cache: None,
            on_ok_only,
            strength: Strength::Hard,
            applies: true,
            scopes: Vec::new(),
            functions: Vec::new(),
            deferred,
        }
    }

    /// Marks as stale, in place of invalidating.
    pub fn softly(&mut self) {
        self.strength = Strength::Soft;
    }

    /// Invalidates nothing unless this holds.
    pub fn only_if(&mut self, condition: bool) {
        self.applies &= condition;
    }

    /// Adds a key.
    pub fn key(&mut self, build: impl FnOnce(&mut Key)) {
        self.add(build, Scope::key);
    }

    /// Adds a prefix, written with its `:` at the end.
    pub fn prefix(&mut self, build: impl FnOnce(&mut Key)) {
        self.add(build, Scope::prefix);
    }

    /// Adds a tag.
    pub fn tag(&mut self, build: impl FnOnce(&mut Key)) {
        self.add(build, Scope::tag);
    }

    /// Adds what a cached function keeps.
    pub fn function(&mut self, target: impl ToInvalidate) {
        let target = target.target();
        match (self.cache, target.scope) {
            (Some(cache), Some(scope)) if cache.core().same_cache(target.cache.core()) => {
                self.scopes.push(scope)
            }
            (_, Some(scope)) => self.functions.push((target.cache, scope)),
            (_, None) => {}
        }
    }

    /// A part without text is that of no entry.
    fn add(&mut self, build: impl FnOnce(&mut Key), scope: impl FnOnce(String) -> Scope) {
        let mut text = Key::default();
        build(&mut text);
        if let (Some(cache), false) = (self.cache, text.failed()) {
            self.scopes.push(scope(text.into_string()).within(cache.prefix()));
        }
    }

    /// The function has ended.
    pub async fn finish(mut self, success: bool) {
        for invalidating in self.apply(success) {
            invalidating.await;
        }
    }

    /// The same without waiting: it is applied here, and on its way to the others.
    pub fn finish_blocking(mut self, success: bool) {
        drop(self.apply(success));
    }

    /// One invalidation for each cache, applied when this returns. A cache that panics keeps no other one from it.
    fn apply(&mut self, success: bool) -> Vec<Invalidating> {
        let (scopes, functions) = (std::mem::take(&mut self.scopes), std::mem::take(&mut self.functions));
        if !self.applies || (self.on_ok_only && !success) {
            return Vec::new();
        }
        let (mut under_way, mut contained) = (Vec::new(), Contained::default());
        if let Some(cache) = self.cache
            && !scopes.is_empty()
        {
            under_way.extend(contained.call(|| self.apply_in(cache, &scopes)).flatten());
        }
        for (cache, scopes) in by_cache(functions) {
            under_way.extend(contained.call(|| self.apply_in(&*cache, &scopes)).flatten());
        }
        contained.resume();
        under_way
    }

    fn apply_in(&self, cache: &(impl Cache + ?Sized), scopes: &[Scope]) -> Option<Invalidating> {
        match &self.deferred {
            Some(deferred) => deferred.collect(cache, scopes, self.strength),
            None => Some(deferred::invalidate_now(cache, scopes, self.strength)),
        }
    }
}

impl<C: Cache + ?Sized> std::fmt::Debug for Invalidate<'_, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invalidate").field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl Invalidate<'static, dyn Cache> {
    /// Of nothing yet, and of no text: functions have caches of their own.
    #[must_use]
    pub fn of_functions(on_ok_only: bool) -> Self {
        Self::without_cache(on_ok_only)
    }
}

/// What is dropped in each cache.
fn by_cache(functions: Vec<(Arc<dyn Cache>, Scope)>) -> Vec<(Arc<dyn Cache>, Vec<Scope>)> {
    let mut all: Vec<(Arc<dyn Cache>, Vec<Scope>)> = Vec::new();
    for (cache, scope) in functions {
        match all.iter_mut().find(|(there, _)| there.core().same_cache(cache.core())) {
            Some((_, scopes)) => scopes.push(scope),
            None => all.push((cache, vec![scope])),
        }
    }
    all
}

impl<C: Cache + ?Sized> Drop for Invalidate<'_, C> {
    fn drop(&mut self) {
        // It is applied when this returns; no caller is left who could wait for its delivery.
        drop(self.apply(false));
    }
}

/// Stores what a function returns, or invalidates the key if it returned nothing to store.
#[derive(Debug)]
pub struct Put<'c, C: Cache + ?Sized> {
    cache: &'c C,
    since: ReadVersion,
    /// None once it is dealt with, or if it is that of no entry.
    key: Option<String>,
    /// Invalidates in place of this, after a transaction.
    deferred: Option<Arc<deferred::State>>,
    /// The name of a type in the function, by which it is counted apart.
    function: &'static str,
}

impl<'c, C: Cache + ?Sized> Put<'c, C> {
    /// Before the function's body.
    pub fn begin<B: FnOnce(&mut Key)>(cache: &'c C, build: B) -> Self {
        let since = cache.core().begin();
        let mut key = Key::default();
        key.literal(cache.prefix());
        build(&mut key);
        Self {
            cache,
            since,
            key: (!key.failed()).then(|| key.into_string()),
            deferred: deferred::current(),
            function: std::any::type_name::<B>(),
        }
    }

    /// After it.
    pub async fn store<V: Value>(self, value: Option<&V>, policy: Policy) {
        let wanted = Wanted::shared::<V>(&policy);
        self.insert(value, (&policy, wanted)).await;
    }

    /// The same for a value that stays in this process.
    pub async fn store_local<V: LocalValue>(self, value: Option<&V>, policy: Policy) {
        let wanted = Wanted::local::<V>(&policy);
        self.insert(value, (&policy, wanted)).await;
    }

    /// The same, on a thread.
    pub fn store_blocking<V: LocalValue>(self, value: Option<&V>, policy: Policy) {
        block_on(self.store_local(value, policy));
    }

    async fn insert<V: LocalValue>(mut self, value: Option<&V>, (policy, wanted): (&Policy, Wanted)) {
        let terms = (policy, wanted.by(self.function));
        let (Some(key), Some(value), None) = (&self.key, value, &self.deferred) else { return };
        match insert::insert(self.cache, self.since, &[(key, value)], terms).await {
            Ok(_) => self.key = None,
            // Nothing can be under such a key either.
            Err(error) => warn_of(&error),
        }
    }
}

/// Keys may come from clients, and there is no end of those that are refused.
fn warn_of(error: &Error) {
    static THROTTLE: LogThrottle = LogThrottle::new();
    if let Some(count) = THROTTLE.due() {
        panic_guard::report!(warn, %error, count, "a value is not cached (said once a minute at most)");
    }
}

impl<C: Cache + ?Sized> Drop for Put<'_, C> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let key = [Scope::key(key)];
            drop(match &self.deferred {
                Some(deferred) => deferred.collect(self.cache, &key, Strength::Hard),
                None => Some(deferred::invalidate_now(self.cache, &key, Strength::Hard)),
            });
        }
    }
}
