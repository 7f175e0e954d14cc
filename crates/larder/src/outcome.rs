//! What became of a call: where its value came from, and whether it was stored.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;

use crate::sync::plain::{Mutex, lock};

/// What became of one call of a cached function, or of
/// [`get_or_compute_with_outcome`](crate::CacheExt::get_or_compute_with_outcome).
///
/// ```
/// use larder::{NotStored, Source, cached};
///
/// #[cached(ttl = 60, key = "length:<text>", unless = |length| *length == 0)]
/// async fn length(text: &str) -> usize {
///     text.len()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (value, outcome) = length::with_outcome("four").await;
/// assert_eq!((value, outcome.source, outcome.why_not_stored), (4, Source::Computed, None));
///
/// let (_, outcome) = length::with_outcome("four").await;
/// assert_eq!(outcome.source, Source::Hit);
///
/// let (_, outcome) = length::with_outcome("").await;
/// assert_eq!(outcome.why_not_stored, Some(NotStored::Declined));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Where the value came from, or the error.
    pub source: Source,
    /// Where the value lay: none if it was computed, by this call or by one that it waited for.
    pub tier: Option<Tier>,
    /// How long this process has had the value: since it was computed, or read from a shared store.
    pub age: Duration,
    /// How long the value is still fresh. Zero for a stale one, and for one that was not stored.
    pub ttl: Duration,
    /// Why what was computed was not stored. None for a hit. That a shared store took a value is not waited for, and
    /// not told.
    pub why_not_stored: Option<NotStored>,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The cache had a fresh value.
    Hit,
    /// The cache had an old value, which the policy allows to serve: while it is computed again, or because that failed or
    /// was slow.
    Stale,
    /// This call ran the function.
    Computed,
    /// This call waited for another one that ran the function.
    Joined,
}

/// Where a value lay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// In the memory of this process.
    Memory,
    /// On disk (feature `disk`).
    Disk,
    /// In a store that processes share.
    Shared,
}

impl Tier {
    /// What spans and figures call it, whichever store is shared.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Shared => "redis",
        }
    }
}

/// Why what was computed was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotStored {
    /// The computation failed. Its error is the call's, unless an old value was served.
    Failed,
    /// The computation said so: [`no_store`](crate::Context::no_store), or the option `unless`.
    Declined,
    /// Its `ttl` is zero, or it is a `None` without a `negative_ttl`.
    NoLifetime,
    /// Something that covers it was invalidated while it was computed.
    Invalidated,
    /// It was made from what had been [marked stale](crate::CacheExt::mark_stale), and its policy has no window for that.
    Stale,
    /// It was passed over, and another call computes in its place.
    Superseded,
    /// More scopes cover it than an entry can have.
    TooManyScopes,
    /// Its `Clone` panicked.
    NotCloned,
    /// The stream was dropped before its end, or has not come to it yet.
    Unfinished,
    /// The stream had more items than `max_items`.
    TooLong,
    /// The function of a list ([`#[cached_many]`](crate::cached_many)) has no value for this element.
    NotFound,
    /// The key is empty or too long, a part of it has no text, or it is that of another function.
    KeyRefused,
    /// The cache is [disabled](crate::CacheExt::disable).
    Disabled,
    /// The call was made in a scope of [`deferred`](crate::deferred()) invalidations.
    InTransaction,
    /// The option `when` says that this call passes the cache by.
    PassedBy,
}

impl Outcome {
    /// Of a call that passed the cache by.
    const PASSED_BY: Self = Self {
        source: Source::Computed,
        tier: None,
        age: Duration::ZERO,
        ttl: Duration::ZERO,
        why_not_stored: Some(NotStored::PassedBy),
    };

    /// Of a call that computes, whatever the cache has, and that was not asked.
    pub(crate) fn of_refresh(succeeded: bool) -> Self {
        let why_not_stored = (!succeeded).then_some(NotStored::Failed);
        Self { why_not_stored, ..Self::PASSED_BY }
    }
}

/// Where one call notes its outcome; a call that is not asked for it has none.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<Told>>);

struct Told {
    outcome: Mutex<Outcome>,
    /// Of a call for a list: those of its elements, in their order.
    elements: Mutex<Vec<Observer>>,
    /// Of a stream: nothing more comes.
    is_settled: AtomicBool,
    /// The full key that events tell of, where the computation has another one.
    stands_for: Option<Arc<str>>,
}

/// What became of a stream, which is not known when the function returns. Given with the stream by
/// `orders::with_outcome(…)`.
///
/// ```
/// # use std::pin::{Pin, pin};
/// # use std::{future::poll_fn, task::{Context, Poll}};
/// # use futures_core::Stream;
/// use larder::{Source, cached};
///
/// # struct Rows(u64);
/// # impl Stream for Rows {
/// #     type Item = u64;
/// #     fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
/// #         self.0 += 1;
/// #         Poll::Ready((self.0 < 3).then_some(self.0))
/// #     }
/// # }
/// #[cached(ttl = 60, key = "orders:<customer>")]
/// fn orders(customer: u64) -> impl Stream<Item = u64> {
///     // …
/// #   Rows(customer)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// for source in [Source::Computed, Source::Hit] {
///     let (orders, outcome) = orders::with_outcome(0);
///     assert_eq!(outcome.get(), None); // not polled yet
///     let mut orders = pin!(orders);
///     while let Some(_order) = poll_fn(|task| orders.as_mut().poll_next(task)).await {}
///     assert_eq!(outcome.get().map(|outcome| outcome.source), Some(source));
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct StreamOutcome(Observer);

impl StreamOutcome {
    /// What became of it. None as long as that is not known: a hit is known once the cache has been looked into, and what is
    /// computed when the stream has ended, or was dropped.
    #[must_use]
    pub fn get(&self) -> Option<Outcome> {
        self.0.is_settled().then(|| self.0.outcome())
    }
}

thread_local! {
    /// That of a call that has not begun yet.
    static CURRENT: RefCell<Observer> = const { RefCell::new(Observer(None)) };
}

/// Puts another one in its place. None is there where the destructor of another thread-local calls.
fn set_current(observer: Observer) -> Observer {
    CURRENT.try_with(|current| current.replace(observer)).unwrap_or_default()
}

impl Observer {
    /// Of a call that is asked.
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// Of a call whose computation stores its value under this full key itself: that is what events tell of.
    pub(crate) fn standing_for(key: Arc<str>) -> Self {
        Self::with(Some(key))
    }

    fn with(stands_for: Option<Arc<str>>) -> Self {
        Self(Some(Arc::new(Told {
            outcome: Mutex::new(Outcome::PASSED_BY),
            elements: Mutex::default(),
            is_settled: AtomicBool::new(false),
            stands_for,
        })))
    }

    /// The key that events tell of in place of the computation's own, if there is one.
    pub(crate) fn stands_for(&self) -> Option<&Arc<str>> {
        self.0.as_ref()?.stands_for.as_ref()
    }

    /// Whether the call is asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// Nothing more comes.
    pub(crate) fn settle(&self) {
        if let Some(told) = &self.0 {
            told.is_settled.store(true, Ordering::Release);
        }
    }

    fn is_settled(&self) -> bool {
        self.0.as_ref().is_some_and(|told| told.is_settled.load(Ordering::Acquire))
    }

    /// Asks for the outcome of one more element, which another one of the call may have too.
    pub(crate) fn add_element(&self, element: &Self) {
        if let Some(told) = &self.0 {
            lock(&told.elements).push(element.clone());
        }
    }

    /// The outcomes of the elements so far.
    fn outcomes(&self) -> Vec<Outcome> {
        let elements = self.0.as_ref().map(|told| lock(&told.elements).clone()).unwrap_or_default();
        elements.iter().map(Self::outcome).collect()
    }

    /// That of the call that begins here.
    pub(crate) fn take_current() -> Self {
        set_current(Self::default())
    }

    /// What was noted so far.
    pub(crate) fn outcome(&self) -> Outcome {
        self.0.as_ref().map_or(Outcome::PASSED_BY, |told| *lock(&told.outcome))
    }

    /// Tells what became of the call.
    pub(crate) fn tell(&self, outcome: impl FnOnce() -> Outcome) {
        if let Some(told) = &self.0 {
            let outcome = outcome();
            *lock(&told.outcome) = outcome;
        }
    }

    /// Tells that the call computes, and stores nothing so far.
    pub(crate) fn computed(&self, why_not_stored: Option<NotStored>) {
        self.tell(|| Outcome { why_not_stored, ..Outcome::PASSED_BY });
    }

    /// Tells why nothing is stored; the rest stays as it is.
    pub(crate) fn not_stored(&self, why: NotStored) {
        if let Some(told) = &self.0 {
            lock(&told.outcome).why_not_stored = Some(why);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}

/// While it is here, the next call that is asked for its outcome on this thread tells this observer.
struct Current {
    outer: Observer,
}

impl Current {
    fn enter(observer: Observer) -> Self {
        Self { outer: set_current(observer) }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        let inner = set_current(std::mem::take(&mut self.outer));
        drop(inner);
    }
}

/// Runs a call that is asked, on this thread.
pub(crate) fn observed_blocking<R>(call: impl FnOnce() -> R) -> (R, Outcome) {
    let observer = Observer::new();
    let output = {
        let _current = Current::enter(observer.clone());
        call()
    };
    (output, observer.outcome())
}

/// Makes a stream, on this thread, that is asked.
pub(crate) fn observed_stream<S>(call: impl FnOnce() -> S) -> (S, StreamOutcome) {
    let observer = Observer::new();
    let _current = Current::enter(observer.clone());
    (call(), StreamOutcome(observer))
}

/// The same of an async function.
pub(crate) fn observed_async_stream<F: Future>(call: F) -> Observed<F, StreamOutcome> {
    Observed { observer: Observer::new(), told: |observer| StreamOutcome(observer.clone()), call }
}

/// Runs a call that is asked.
pub(crate) fn observed<F: Future>(call: F) -> Observed<F, Outcome> {
    Observed { observer: Observer::new(), told: Observer::outcome, call }
}

/// Runs a call for a list that is asked for the outcome of each element.
pub(crate) fn observed_many<F: Future>(call: F) -> Observed<F, Vec<Outcome>> {
    Observed { observer: Observer::new(), told: Observer::outcomes, call }
}

pin_project! {
    /// A call that is asked for its outcome.
    #[must_use = "futures do nothing unless polled"]
    pub struct Observed<F, O> {
        observer: Observer,
        told: fn(&Observer) -> O,
        #[pin]
        call: F,
    }
}

impl<F, O> fmt::Debug for Observed<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("observer", &self.observer).finish_non_exhaustive()
    }
}

impl<F: Future, O> Future for Observed<F, O> {
    type Output = (F::Output, O);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = {
            let _current = Current::enter(this.observer.clone());
            this.call.poll(context)
        };
        polled.map(|output| (output, (this.told)(this.observer)))
    }
}
