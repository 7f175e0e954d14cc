//! Spans of `tracing`: what takes time is one. A hit in memory is none, and costs nothing for it.
//!
//! Their names and fields are documented in the guide `operate`, and stay as they are. They are at DEBUG; keys and scopes
//! are recorded at TRACE alone. The subscriber is foreign code, and its panics go no further: see
//! [`panic_guard`](crate::panic_guard).

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tracing::{Level, Span, field::Empty};

use crate::{outcome::Tier, panic_guard::contain};

/// A span whose subscriber may panic. Nothing where no subscriber listens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traced(Option<Arc<OpenSpan>>);

/// Closed when the last owner drops it.
#[derive(Debug)]
struct OpenSpan(Span);

impl Drop for OpenSpan {
    fn drop(&mut self) {
        let span = std::mem::replace(&mut self.0, Span::none());
        let _ = contain(|| drop(span));
    }
}

impl Traced {
    fn new(open: impl FnOnce() -> Span) -> Self {
        let span = contain(open).filter(|span| !span.is_disabled());
        Self(span.map(|span| Arc::new(OpenSpan(span))))
    }

    /// A call that found nothing fresh in memory.
    pub(crate) fn get(cache: &str, function: &str, namespace: &str, key: &str) -> Self {
        let traced = Self::new(|| {
            tracing::debug_span!(
                target: "larder",
                "larder.get",
                cache,
                function,
                namespace,
                outcome = Empty,
                tier = Empty,
                waited = Empty,
                key = Empty,
            )
        });
        traced.record_key(key);
        traced
    }

    /// A call for several keys.
    pub(crate) fn get_many(cache: &str, function: &str, namespace: &str, keys: usize) -> Self {
        Self::new(
            || tracing::debug_span!(target: "larder", "larder.get_many", cache, function, namespace, keys),
        )
    }

    /// A computation, for the call that `self` is, or else within whatever span there is; of several keys, if `key` is
    /// empty.
    pub(crate) fn compute(&self, cache: &str, function: &str, namespace: &str, key: &str) -> Self {
        let traced = Self::new(|| {
            tracing::debug_span!(
                target: "larder",
                parent: self.0.as_ref().map_or_else(Span::current, |open| open.0.clone()),
                "larder.compute",
                cache,
                function,
                namespace,
                outcome = Empty,
                key = Empty,
            )
        });
        traced.record_key(key);
        traced
    }

    /// Writing entries to where the cache keeps them.
    pub(crate) fn store(cache: &str, function: &str, namespace: &str, entries: usize) -> Self {
        Self::new(|| {
            tracing::debug_span!(
                target: "larder",
                "larder.store",
                cache,
                function,
                namespace,
                entries,
                outcome = Empty,
            )
        })
    }

    /// An invalidation, until it is delivered to others or its caller waits no longer. `what` is asked for at TRACE.
    pub(crate) fn invalidate(
        cache: &str,
        scopes: usize,
        strength: &'static str,
        what: impl FnOnce() -> String,
    ) -> Self {
        let traced = Self::new(|| {
            tracing::debug_span!(
                target: "larder",
                "larder.invalidate",
                cache,
                scopes,
                strength,
                outcome = Empty,
                epoch = Empty,
                what = Empty,
            )
        });
        if traced.0.is_some() && is_verbose() {
            traced.record("what", &*what());
        }
        traced
    }

    fn record_key(&self, key: &str) {
        if self.0.is_some() && !key.is_empty() && is_verbose() {
            self.record("key", key);
        }
    }

    /// Sets one of its fields.
    pub(crate) fn record(&self, field: &'static str, value: impl tracing::field::Value) {
        if let Some(open) = &self.0 {
            let _ = contain(|| open.0.record(field, value));
        }
    }

    /// Where an answer came from.
    pub(crate) fn answered(&self, outcome: &'static str, tier: Tier) {
        self.record("outcome", outcome);
        self.record("tier", tier.label());
    }

    /// Says that this span waited for what the other one is.
    pub(crate) fn follows(&self, other: &Self) {
        if let (Some(open), Some(other)) = (&self.0, &other.0) {
            let _ = contain(|| open.0.follows_from(&other.0));
        }
    }

    /// Whether a subscriber listens.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Runs within the span.
    pub(crate) fn enter<R>(&self, run: impl FnOnce() -> R) -> R {
        let _within = Within::enter(self);
        run()
    }

    /// Polls a future within the span.
    pub(crate) fn wrap<F: Future>(self, future: F) -> WithinSpan<F> {
        WithinSpan { span: self, future }
    }
}

/// Whether keys are recorded.
fn is_verbose() -> bool {
    contain(|| tracing::enabled!(target: "larder", Level::TRACE)).unwrap_or(false)
}

/// While it is here, the span is the current one of this thread.
struct Within<'s>(Option<tracing::span::Entered<'s>>);

impl<'s> Within<'s> {
    fn enter(span: &'s Traced) -> Self {
        Self(span.0.as_ref().and_then(|open| contain(|| open.0.enter())))
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        if let Some(entered) = self.0.take() {
            let _ = contain(|| drop(entered));
        }
    }
}

pin_project! {
    /// A future within a span.
    pub(crate) struct WithinSpan<F> {
        span: Traced,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for WithinSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _within = Within::enter(this.span);
        this.future.poll(context)
    }
}
