//! Guards of functions that change the data: they change the cache too, however the function ends.

use std::sync::Arc;

use crate::{
    block_on::block_on,
    cache::{Cache, Invalidating},
    deferred,
    epoch::ReadVersion,
    key::Key,
    panic_guard,
    policy::Policy,
    read_through::Wanted,
    scope::Scope,
    typed::insert,
    value::{LocalValue, Value},
};

/// Invalidates when the function has ended, or when the guard is dropped before: a panic or a cancellation may have come
/// after the change.
#[derive(Debug)]
pub struct Invalidate<'c, C: Cache + ?Sized> {
    cache: &'c C,
    on_ok_only: bool,
    /// False if a condition says so.
    applies: bool,
    scopes: Vec<Scope>,
    /// Invalidates in place of this, after a transaction.
    deferred: Option<Arc<deferred::State>>,
}

impl<'c, C: Cache + ?Sized> Invalidate<'c, C> {
    /// Of nothing yet.
    pub fn new(cache: &'c C, on_ok_only: bool) -> Self {
        Self { cache, on_ok_only, applies: true, scopes: Vec::new(), deferred: deferred::current() }
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

    /// A part without text is that of no entry.
    fn add(&mut self, build: impl FnOnce(&mut Key), scope: impl FnOnce(String) -> Scope) {
        let mut text = Key::default();
        build(&mut text);
        if !text.failed() {
            self.scopes.push(scope(text.into_string()).within(self.cache.prefix()));
        }
    }

    /// The function has ended.
    pub async fn finish(mut self, success: bool) {
        if let Some(invalidating) = self.apply(success) {
            invalidating.await;
        }
    }

    /// The same without waiting: it is applied here, and on its way to the others.
    pub fn finish_blocking(mut self, success: bool) {
        drop(self.apply(success));
    }

    fn apply(&mut self, success: bool) -> Option<Invalidating> {
        let scopes = std::mem::take(&mut self.scopes);
        let applies = self.applies && !scopes.is_empty() && (success || !self.on_ok_only);
        if !applies {
            return None;
        }
        match &self.deferred {
            Some(deferred) => deferred.collect(self.cache, &scopes),
            None => Some(Invalidating::begin(self.cache, &scopes)),
        }
    }
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
            Ok(()) => self.key = None,
            // Nothing can be under such a key either.
            Err(error) => panic_guard::report!(warn, %error, "the value is not cached"),
        }
    }
}

impl<C: Cache + ?Sized> Drop for Put<'_, C> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let key = [Scope::key(key)];
            drop(match &self.deferred {
                Some(deferred) => deferred.collect(self.cache, &key),
                None => Some(Invalidating::begin(self.cache, &key)),
            });
        }
    }
}
