//! Functions that return a stream: what `#[cached]` calls for them.

use std::{
    any::type_name,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use super::{
    how::How,
    output_kind::{Fallible, Plain},
    type_checks::Nothing,
};
use crate::{
    cache::Cache,
    cache_core::Site,
    entry::Entry,
    key::Key,
    outcome::Observer,
    policy::Policy,
    read_through::{
        Wanted,
        stream::{Collecting, Looking, Storing, Terms},
    },
    value::{LocalValue, Value},
};

/// One call of a cached function that returns a stream: the cache, and the full key.
pub struct StreamCall {
    cache: Arc<dyn Cache>,
    key: Arc<str>,
    refreshes: bool,
    passes_by: bool,
    observer: Observer,
    function: &'static str,
}

impl StreamCall {
    /// With the key that `build` writes, for a list of `V`.
    pub fn new<V: LocalValue, B: FnOnce(&mut Key)>(
        cache: &(impl Cache + ?Sized),
        site: Site,
        how: How,
        build: B,
    ) -> Self {
        let mut key = Key::default();
        key.literal(cache.prefix());
        build(&mut key);
        let core = cache.core();
        let admitted = core.has_admitted(site) || core.admit::<Vec<V>>(cache.prefix(), site);
        let key = if admitted && !key.failed() { key.as_str().into() } else { "".into() };
        let (refreshes, function) = (how.is_refresh(), type_name::<B>());
        Self { cache: cache.share(), key, refreshes, passes_by: false, observer: observer(how), function }
    }

    /// One that goes without the cache.
    pub fn bypass(cache: &(impl Cache + ?Sized), how: How) -> Self {
        let (key, observer) = ("".into(), observer(how));
        observer.settle();
        Self { cache: cache.share(), key, refreshes: false, passes_by: true, observer, function: "" }
    }

    fn terms(self, policy: Policy, wanted: Wanted, max_items: usize) -> Arc<Terms> {
        let Self { cache, key, refreshes, passes_by, observer, function } = self;
        let policy = Policy { idle: None, ..policy };
        let wanted = wanted.by(function);
        Arc::new(Terms { cache, key, policy, wanted, max_items, refreshes, passes_by, observer })
    }
}

fn observer(how: How) -> Observer {
    if how == How::Observed { Observer::take_current() } else { Observer::default() }
}

impl fmt::Debug for StreamCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamCall").field("key", &self.key).finish_non_exhaustive()
    }
}

/// A stream of items `I`, of which a list of `V` is stored. `start` makes its source.
pub struct CachedStream<I, V, S, F> {
    state: State<V, S, F>,
    items: Items<I, V>,
}

/// How an item is stored, and given again. An item that is none is a failure.
struct Items<I, V> {
    copy: fn(&I) -> Option<V>,
    give: fn(V) -> I,
}

enum State<V, S, F> {
    /// It was not polled yet, or still looks for what is stored.
    Looking {
        terms: Arc<Terms>,
        looking: Looking,
        start: F,
    },
    /// What is stored, from this item on.
    Serving {
        entry: Entry,
        next: usize,
    },
    /// The source is asked.
    Passing {
        collecting: Collecting<V>,
        source: Pin<Box<S>>,
    },
    Storing(Storing),
    Ended,
}

/// It pins what is in boxes alone.
impl<I, V, S, F> Unpin for CachedStream<I, V, S, F> {}

impl<I, V, S, F> Stream for CachedStream<I, V, S, F>
where
    V: LocalValue,
    S: Stream<Item = I>,
    F: FnOnce() -> S,
{
    type Item = I;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<I>> {
        let Self { state, items } = &mut *self;
        loop {
            match state {
                State::Looking { looking, .. } => {
                    let found = ready!(looking.as_mut().poll(context));
                    let State::Looking { terms, start, .. } = std::mem::replace(state, State::Ended) else {
                        return Poll::Ready(None);
                    };
                    *state = match found {
                        Some(entry) => State::Serving { entry, next: 0 },
                        None => {
                            let collecting = terms.begin();
                            let source = Box::pin(collecting.frame().enter(start));
                            State::Passing { collecting, source }
                        }
                    };
                }
                State::Serving { entry, next } => {
                    let item = entry.value::<Vec<V>>().and_then(|list| list.get(*next)).cloned();
                    *next += 1;
                    if item.is_none() {
                        *state = State::Ended;
                    }
                    return Poll::Ready(item.map(items.give));
                }
                State::Passing { collecting, source } => {
                    let item = ready!(collecting.poll(source.as_mut(), context, items.copy));
                    if item.is_some() {
                        return Poll::Ready(item);
                    }
                    *state = match std::mem::replace(state, State::Ended) {
                        State::Passing { collecting, .. } => match collecting.end() {
                            Some(storing) => State::Storing(storing),
                            None => State::Ended,
                        },
                        other => other,
                    };
                }
                State::Storing(storing) => {
                    ready!(storing.as_mut().poll(context));
                    *state = State::Ended;
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl<I, V, S, F> fmt::Debug for CachedStream<I, V, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedStream").finish_non_exhaustive()
    }
}

/// Of a function that is not async: it looks when it is polled first, and runs the function's body then, if it has to.
fn later<I, V: LocalValue, S, F: FnOnce() -> S>(
    terms: Arc<Terms>,
    items: Items<I, V>,
    start: F,
) -> CachedStream<I, V, S, F> {
    let looking = terms.look::<V>();
    CachedStream { state: State::Looking { terms, looking, start }, items }
}

/// Of an async function: it looks at once, and runs the function's body if it has to.
async fn now<I, V: LocalValue, S>(
    terms: Arc<Terms>,
    items: Items<I, V>,
    start: impl Future<Output = S>,
) -> CachedStream<I, V, S, fn() -> S> {
    let state = match terms.look::<V>().await {
        Some(entry) => State::Serving { entry, next: 0 },
        None => {
            let collecting = terms.begin();
            let source = Box::pin(collecting.frame().run(start).await);
            State::Passing { collecting, source }
        }
    };
    CachedStream { state, items }
}

impl<R: LocalValue> Plain<R> {
    const ITEMS: Items<R, R> = Items { copy: |item| Some(item.clone()), give: |item| item };

    /// A call, with its key.
    pub fn begin_stream<B: FnOnce(&mut Key)>(
        self,
        cache: &(impl Cache + ?Sized),
        site: Site,
        how: How,
        build: B,
    ) -> StreamCall {
        StreamCall::new::<R, B>(cache, site, how, build)
    }

    /// The stream of a function that is not async.
    pub fn stream<S, F>(
        self,
        call: StreamCall,
        (policy, max_items): (Policy, usize),
        start: F,
    ) -> CachedStream<R, R, S, F>
    where
        R: Value,
        S: Stream<Item = R>,
        F: FnOnce() -> S,
    {
        let wanted = Wanted::shared::<Vec<R>>(&policy);
        later(call.terms(policy, wanted, max_items), Self::ITEMS, start)
    }

    /// The same, of items that stay in this process.
    pub fn stream_local<S, F>(
        self,
        call: StreamCall,
        (policy, max_items): (Policy, usize),
        start: F,
    ) -> CachedStream<R, R, S, F>
    where
        S: Stream<Item = R>,
        F: FnOnce() -> S,
    {
        let wanted = Wanted::local::<Vec<R>>(&policy);
        later(call.terms(policy, wanted, max_items), Self::ITEMS, start)
    }

    /// The stream of an async function.
    pub async fn async_stream<S: Stream<Item = R>>(
        self,
        call: StreamCall,
        (policy, max_items): (Policy, usize),
        start: impl Future<Output = S>,
    ) -> CachedStream<R, R, S, fn() -> S>
    where
        R: Value,
    {
        let wanted = Wanted::shared::<Vec<R>>(&policy);
        now(call.terms(policy, wanted, max_items), Self::ITEMS, start).await
    }

    /// The same, of items that stay in this process.
    pub async fn async_stream_local<S: Stream<Item = R>>(
        self,
        call: StreamCall,
        (policy, max_items): (Policy, usize),
        start: impl Future<Output = S>,
    ) -> CachedStream<R, R, S, fn() -> S> {
        let wanted = Wanted::local::<Vec<R>>(&policy);
        now(call.terms(policy, wanted, max_items), Self::ITEMS, start).await
    }
}

impl<T: LocalValue, E, X> Fallible<T, E, X> {
    const ITEMS: Items<Result<T, E>, T> = Items { copy: |item| item.as_ref().ok().cloned(), give: Ok };

    /// As [`Plain::begin_stream`].
    pub fn begin_stream<B: FnOnce(&mut Key)>(
        self,
        cache: &(impl Cache + ?Sized),
        site: Site,
        how: How,
        build: B,
    ) -> StreamCall {
        StreamCall::new::<T, B>(cache, site, how, build)
    }

    /// As [`Plain::stream`].
    pub fn stream<S, F>(
        self,
        call: StreamCall,
        (policy, max_items): (Policy, usize),
        start: F,
    ) -> CachedStream<Result<T, E>, T, S, F>
    where
        T: Value,
        S: Stream<Item = Result<T, E>>,
        F: FnOnce() -> S,
    {
        let wanted = Wanted::shared::<Vec<T>>(&policy);
        later(call.terms(policy, wanted, max_items), Self::ITEMS, start)
    }

    /// As [`Plain::stream_local`].
    pub fn stream_local<S, F>(
        self,
        call: StreamCall,
        (policy, max_items): (Policy, usize),
        start: F,
    ) -> CachedStream<Result<T, E>, T, S, F>
    where
        S: Stream<Item = Result<T, E>>,
        F: FnOnce() -> S,
    {
        let wanted = Wanted::local::<Vec<T>>(&policy);
        later(call.terms(policy, wanted, max_items), Self::ITEMS, start)
    }

    /// As [`Plain::async_stream`].
    pub async fn async_stream<S: Stream<Item = Result<T, E>>>(
        self,
        call: StreamCall,
        (policy, max_items): (Policy, usize),
        start: impl Future<Output = S>,
    ) -> CachedStream<Result<T, E>, T, S, fn() -> S>
    where
        T: Value,
    {
        let wanted = Wanted::shared::<Vec<T>>(&policy);
        now(call.terms(policy, wanted, max_items), Self::ITEMS, start).await
    }

    /// As [`Plain::async_stream_local`].
    pub async fn async_stream_local<S: Stream<Item = Result<T, E>>>(
        self,
        call: StreamCall,
        (policy, max_items): (Policy, usize),
        start: impl Future<Output = S>,
    ) -> CachedStream<Result<T, E>, T, S, fn() -> S> {
        let wanted = Wanted::local::<Vec<T>>(&policy);
        now(call.terms(policy, wanted, max_items), Self::ITEMS, start).await
    }
}

/// A stream of what cannot be cached: there is none.
#[derive(Debug)]
pub struct NoStream<R>(std::convert::Infallible, PhantomData<fn() -> R>);

impl<R> Stream for NoStream<R> {
    type Item = R;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<R>> {
        match self.0 {}
    }
}

/// As for other kinds: `check` complains.
impl<R> Nothing<R> {
    /// As [`Plain::begin_stream`].
    pub fn begin_stream<C: ?Sized>(self, _: &C, _: Site, _: How, _: impl FnOnce(&mut Key)) -> StreamCall {
        self.never()
    }

    /// As [`Plain::stream`].
    pub fn stream<F>(self, _: StreamCall, _: (Policy, usize), _: F) -> NoStream<R> {
        self.never()
    }

    /// As [`Plain::stream_local`].
    pub fn stream_local<F>(self, _: StreamCall, _: (Policy, usize), _: F) -> NoStream<R> {
        self.never()
    }

    /// As [`Plain::async_stream`].
    pub async fn async_stream<F>(self, _: StreamCall, _: (Policy, usize), _: F) -> NoStream<R> {
        self.never()
    }

    /// As [`Plain::async_stream_local`].
    pub async fn async_stream_local<F>(self, _: StreamCall, _: (Policy, usize), _: F) -> NoStream<R> {
        self.never()
    }
}
