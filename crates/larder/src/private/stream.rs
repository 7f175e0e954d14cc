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
    call_flags::How,
    output_kind::{Fallible, Plain},
    terms::Terms,
    type_checks::Nothing,
};
use crate::{
    cache::Cache,
    cache_core::Site,
    key::Key,
    outcome::Observer,
    policy::Policy,
    read_through::stream::{Collecting, Found, Looking, Storing, Terms as Asks},
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
        let admitted =
            core.has_admitted::<Vec<V>>(cache.prefix(), site) || core.admit::<Vec<V>>(cache.prefix(), site);
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

    fn asks(self, Terms { policy, wanted }: Terms, max_items: usize) -> Arc<Asks> {
        let Self { cache, key, refreshes, passes_by, observer, function } = self;
        let policy = Policy { idle: None, ..policy };
        let wanted = wanted.by(function);
        Arc::new(Asks { cache, key, policy, wanted, max_items, refreshes, passes_by, observer })
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

/// How an item `I` is stored, as a `V`, and given again. An item that is none is a failure.
#[derive(Debug)]
pub struct Items<I, V> {
    copy: fn(&I) -> Option<V>,
    give: fn(V) -> I,
}

impl<I, V> Clone for Items<I, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, V> Copy for Items<I, V> {}

enum State<V, S, F> {
    /// It was not polled yet, or still looks for what is stored.
    Looking {
        terms: Arc<Asks>,
        looking: Looking,
        start: F,
    },
    /// What is stored, from this item on.
    Serving {
        found: Found,
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
                        Some(found) => State::Serving { found, next: 0 },
                        None => {
                            let collecting = terms.begin();
                            let source = Box::pin(collecting.frame().enter(start));
                            State::Passing { collecting, source }
                        }
                    };
                }
                State::Serving { found, next } => {
                    let item = found.list::<V>().and_then(|list| list.get(*next)).cloned();
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

impl<R: LocalValue> Plain<R> {
    /// The items of a stream.
    #[must_use]
    pub fn items(self) -> Items<R, R> {
        Items { copy: |item| Some(item.clone()), give: |item| item }
    }
}

impl<T: LocalValue, E, X> Fallible<T, E, X> {
    /// The items of a stream, of which an error is a failure.
    #[must_use]
    pub fn items(self) -> Items<Result<T, E>, T> {
        Items { copy: |item| item.as_ref().ok().cloned(), give: Ok }
    }
}

impl<I, V: LocalValue> Items<I, V> {
    /// A call, with its key.
    pub fn begin<B: FnOnce(&mut Key)>(
        self,
        cache: &(impl Cache + ?Sized),
        site: Site,
        how: How,
        build: B,
    ) -> StreamCall {
        StreamCall::new::<V, B>(cache, site, how, build)
    }

    /// Under which terms a list of items is kept.
    pub fn terms(self, policy: Policy) -> Terms
    where
        V: Value,
    {
        Terms::shared::<Vec<V>>(policy)
    }

    /// The same of items that stay in this process.
    pub fn terms_local(self, policy: Policy) -> Terms {
        Terms::local::<Vec<V>>(policy)
    }

    /// The stream of a function that is not async: it looks when it is polled first, and runs the function's body then, if
    /// it has to.
    pub fn stream<S: Stream<Item = I>, F: FnOnce() -> S>(
        self,
        call: StreamCall,
        (terms, max_items): (Terms, usize),
        start: F,
    ) -> CachedStream<I, V, S, F> {
        let terms = call.asks(terms, max_items);
        let looking = terms.look::<V>();
        CachedStream { state: State::Looking { terms, looking, start }, items: self }
    }

    /// The stream of an async function: it looks at once, and runs the function's body if it has to.
    pub async fn async_stream<S: Stream<Item = I>>(
        self,
        call: StreamCall,
        (terms, max_items): (Terms, usize),
        start: impl Future<Output = S>,
    ) -> CachedStream<I, V, S, fn() -> S> {
        let terms = call.asks(terms, max_items);
        let state = match terms.look::<V>().await {
            Some(found) => State::Serving { found, next: 0 },
            None => {
                let collecting = terms.begin();
                let source = Box::pin(collecting.frame().run(start).await);
                State::Passing { collecting, source }
            }
        };
        CachedStream { state, items: self }
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

/// The items of what cannot be cached.
#[derive(Debug)]
pub struct NoItems<R>(Nothing<R>);

impl<R> Clone for NoItems<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for NoItems<R> {}

impl<R> Nothing<R> {
    /// As for other kinds: `check` complains.
    #[must_use]
    pub fn items(self) -> NoItems<R> {
        NoItems(self)
    }
}

impl<R> NoItems<R> {
    /// As [`Items::begin`].
    pub fn begin<C: ?Sized>(self, _: &C, _: Site, _: How, _: impl FnOnce(&mut Key)) -> StreamCall {
        self.0.never()
    }

    /// As [`Items::terms`].
    pub fn terms(self, _: Policy) -> Terms {
        self.0.never()
    }

    /// As [`Items::terms_local`].
    pub fn terms_local(self, _: Policy) -> Terms {
        self.0.never()
    }

    /// As [`Items::stream`].
    pub fn stream<F>(self, _: StreamCall, _: (Terms, usize), _: F) -> NoStream<R> {
        self.0.never()
    }

    /// As [`Items::async_stream`].
    pub async fn async_stream<F>(self, _: StreamCall, _: (Terms, usize), _: F) -> NoStream<R> {
        self.0.never()
    }
}
