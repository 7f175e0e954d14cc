//! An invalidation under way, and how far it has come.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{epoch::Epoch, spans::Traced};

/// How far an invalidation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Invalidation {
    /// It is done: here, and (where there is a log) in the log, at this epoch. A cache without a log
    /// says [`Epoch::ZERO`].
    Delivered(Epoch),
    /// It is done here, and waits to be delivered to the others.
    Queued,
}

/// What an invalidation does to what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Strength {
    /// Nothing of it is served from here on.
    #[default]
    Hard,
    /// Its `ttl` ends.
    Soft,
}

impl Strength {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
        }
    }
}

/// An invalidation: done in this process already, and on its way to the others.
///
/// Awaiting it tells how far it has come. Dropping it undoes nothing.
pub struct Invalidating {
    state: InvalidationProgress,
    span: Traced,
}

enum InvalidationProgress {
    Done(Invalidation),
    UnderWay(Pin<Box<dyn Future<Output = Invalidation> + Send>>),
}

impl Invalidating {
    /// One that is over.
    #[must_use]
    pub fn done(outcome: Invalidation) -> Self {
        Self { state: InvalidationProgress::Done(outcome), span: Traced::default() }
    }

    /// One that is still on its way to the others; `outcome` follows it, and may be dropped.
    pub fn under_way(outcome: impl Future<Output = Invalidation> + Send + 'static) -> Self {
        Self { state: InvalidationProgress::UnderWay(Box::pin(outcome)), span: Traced::default() }
    }

    /// One that is `begun` by a caller, within a span of its own.
    pub(crate) fn within(span: Traced, begun: impl FnOnce() -> Self) -> Self {
        let invalidating = span.enter(begun);
        if let InvalidationProgress::Done(outcome) = invalidating.state {
            note(&span, outcome);
        }
        Self { span, ..invalidating }
    }
}

impl Future for Invalidating {
    type Output = Invalidation;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Invalidation> {
        let this = &mut *self;
        let outcome = match &mut this.state {
            InvalidationProgress::Done(outcome) => return Poll::Ready(*outcome),
            InvalidationProgress::UnderWay(under_way) => this.span.enter(|| under_way.as_mut().poll(context)),
        };
        if let Poll::Ready(outcome) = outcome {
            note(&this.span, outcome);
        }
        outcome
    }
}

/// Records how an invalidation ended.
fn note(span: &Traced, outcome: Invalidation) {
    match outcome {
        Invalidation::Delivered(epoch) => {
            span.record("outcome", "delivered");
            if span.is_open() && epoch != Epoch::ZERO {
                span.record("epoch", &*epoch.to_string());
            }
        }
        Invalidation::Queued => span.record("outcome", "queued"),
    }
}

impl fmt::Debug for Invalidating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match &self.state {
            InvalidationProgress::Done(outcome) => Some(outcome),
            InvalidationProgress::UnderWay(_) => None,
        };
        f.debug_tuple("Invalidating").field(&outcome).finish()
    }
}
