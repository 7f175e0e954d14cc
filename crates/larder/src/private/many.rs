//! Functions of a list, whose values are cached one by one: what `#[cached_many]` calls.

use std::{any::type_name, future::Future, hash::Hash, marker::PhantomData};

use super::{
    comparison::Returned,
    how::How,
    infallible::AsFallible,
    list_output::{Join, ListOutput, Split},
    option_checks::MayFail,
    output_kind::{Fallible, Plain},
    type_checks::{Cacheable, CacheableHere},
};
use crate::{
    cache::{Cache, Strength},
    cache_core::Site,
    deferred, dependencies,
    key::Key,
    policy::Policy,
    read_through::{self, Wanted},
    scope::Scope,
    value::{LocalValue, Value},
};

/// What a function of a list returns: values of type `V` for elements of type `I`, as a `T`, within what the kind `K` is.
/// Functions, not traits: see `compute.rs`.
#[derive(Debug)]
pub struct OfMany<K, T, I, V> {
    kind: PhantomData<fn() -> K>,
    shape: Shape<T, I, V>,
}

#[derive(Debug)]
struct Shape<T, I, V> {
    is_ordered: bool,
    split: Split<T, I, V>,
    join: Join<T, I, V>,
}

impl<K, T, I, V> Clone for OfMany<K, T, I, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, T, I, V> Copy for OfMany<K, T, I, V> {}

impl<T, I, V> Clone for Shape<T, I, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, I, V> Copy for Shape<T, I, V> {}

impl<T, I, V> Shape<T, I, V> {
    fn new() -> Self
    where
        T: ListOutput<I, Value = V>,
    {
        Self { is_ordered: T::IS_ORDERED, split: T::split, join: T::join }
    }
}

impl<T, E, S> Fallible<T, E, S> {
    /// The same, of values for elements of a list.
    #[must_use]
    pub fn of_many<I>(self) -> OfMany<Self, T, I, T::Value>
    where
        T: ListOutput<I>,
    {
        OfMany { kind: PhantomData, shape: Shape::new() }
    }
}

impl<R> Plain<R> {
    /// The same, of values for elements of a list.
    #[must_use]
    pub fn of_many<I>(self) -> OfMany<Self, R, I, R::Value>
    where
        R: ListOutput<I>,
    {
        OfMany { kind: PhantomData, shape: Shape::new() }
    }
}

impl<K, T, I, V> Returned for OfMany<K, T, I, V> {
    type Value = V;
}

#[diagnostic::do_not_recommend]
impl<T, E, S, I, V> MayFail for OfMany<Fallible<T, E, S>, T, I, V> {}

impl<K, T, I, V> OfMany<K, T, I, V> {
    /// Complains of a value that cannot be cached.
    #[inline]
    pub fn check(&self)
    where
        V: Value,
    {
    }

    /// Complains of a value that cannot be kept in this process.
    #[inline]
    pub fn check_local(&self)
    where
        V: LocalValue,
    {
    }

    /// A call, with no elements so far.
    pub fn begin<C: Cache + ?Sized>(self, cache: &C, site: Site, how: How) -> Many<'_, C, I>
    where
        V: LocalValue,
    {
        let core = cache.core();
        let is_admitted = core.has_admitted(site) || core.admit::<V>(cache.prefix(), site);
        Many { cache, items: Vec::new(), refreshing: how.is_refresh(), is_admitted, function: "" }
    }
}

impl<K, T, I, V: Value> Cacheable for OfMany<K, T, I, V> {
    type Kind = Self;

    fn checked(&self) -> Self {
        *self
    }
}

impl<K, T, I, V: LocalValue> CacheableHere for OfMany<K, T, I, V> {
    type Kind = Self;

    fn checked_local(&self) -> Self {
        *self
    }
}

/// One call of a cached function of a list: its elements, with their full keys.
#[derive(Debug)]
pub struct Many<'c, C: ?Sized, I> {
    cache: &'c C,
    items: Vec<(I, String)>,
    /// Computes anew, whatever the cache has.
    refreshing: bool,
    /// Whether the function is the one that has its keys.
    is_admitted: bool,
    /// The name of a type in the function, by which it is counted apart.
    function: &'static str,
}

impl<C: Cache + ?Sized, I> Many<'_, C, I> {
    /// The full key that `build` writes; an empty one, which is refused, if a part of it has no text.
    pub fn key<B: FnOnce(&mut Key)>(&mut self, build: B) -> String {
        self.function = type_name::<B>();
        let mut key = Key::default();
        key.literal(self.cache.prefix());
        build(&mut key);
        if key.failed() { String::new() } else { key.into_string() }
    }

    /// Goes without the cache, unless it is `used`.
    pub fn when(&mut self, used: bool) {
        self.is_admitted &= used;
    }

    /// Adds an element.
    pub fn add(&mut self, element: I, key: String) {
        self.items.push((element, key));
    }
}

/// The elements of a list.
pub fn elements<'l, L: ?Sized, I: Clone + 'l>(list: &'l L) -> impl Iterator<Item = I>
where
    &'l L: IntoIterator<Item = &'l I>,
{
    list.into_iter().cloned()
}

/// An argument for one more run of the body.
#[must_use]
pub fn again<T: Again>(argument: &T) -> T {
    argument.again()
}

/// What the body of a function can take more than once.
#[diagnostic::on_unimplemented(
    message = "the body of a `#[cached_many]` may run a second time, and takes this argument each time",
    label = "not `Clone`",
    note = "take it as a reference, or as an `Arc`"
)]
pub trait Again {
    /// The same once more.
    #[must_use]
    fn again(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> Again for T {
    fn again(&self) -> Self {
        self.clone()
    }
}

impl<T, E, S, I, V> OfMany<Fallible<T, E, S>, T, I, V>
where
    I: Clone + Eq + Hash,
    E: Send + 'static,
{
    /// The values of all elements, of which the body computes those that are missing.
    ///
    /// # Errors
    ///
    /// Those of the body.
    pub async fn compute<C, F>(
        self,
        many: Many<'_, C, I>,
        policy: Policy,
        body: impl FnMut(Vec<I>) -> F,
    ) -> Result<T, E>
    where
        C: Cache + ?Sized,
        V: Value,
        F: Future<Output = Result<T, E>>,
    {
        let wanted = Wanted::shared::<V>(&policy);
        compute(self.shape, many, (&policy, wanted), body).await
    }

    /// The same for values that stay in this process.
    ///
    /// # Errors
    ///
    /// Those of the body.
    pub async fn compute_local<C, F>(
        self,
        many: Many<'_, C, I>,
        policy: Policy,
        body: impl FnMut(Vec<I>) -> F,
    ) -> Result<T, E>
    where
        C: Cache + ?Sized,
        V: LocalValue,
        F: Future<Output = Result<T, E>>,
    {
        let wanted = Wanted::local::<V>(&policy);
        compute(self.shape, many, (&policy, wanted), body).await
    }
}

impl<R, I, V> OfMany<Plain<R>, R, I, V>
where
    I: Clone + Eq + Hash,
{
    /// As where there are errors.
    pub async fn compute<C, F>(
        self,
        many: Many<'_, C, I>,
        policy: Policy,
        mut body: impl FnMut(Vec<I>) -> F,
    ) -> R
    where
        C: Cache + ?Sized,
        V: Value,
        F: Future<Output = R>,
    {
        let wanted = Wanted::shared::<V>(&policy);
        let body = |missing| AsFallible::new(body(missing));
        let Ok(output) = compute(self.shape, many, (&policy, wanted), body).await;
        output
    }

    /// The same for values that stay in this process.
    pub async fn compute_local<C, F>(
        self,
        many: Many<'_, C, I>,
        policy: Policy,
        mut body: impl FnMut(Vec<I>) -> F,
    ) -> R
    where
        C: Cache + ?Sized,
        V: LocalValue,
        F: Future<Output = R>,
    {
        let wanted = Wanted::local::<V>(&policy);
        let body = |missing| AsFallible::new(body(missing));
        let Ok(output) = compute(self.shape, many, (&policy, wanted), body).await;
        output
    }
}

async fn compute<T, I, V, E, C, F>(
    shape: Shape<T, I, V>,
    many: Many<'_, C, I>,
    (policy, wanted): (&Policy, Wanted),
    mut body: impl FnMut(Vec<I>) -> F,
) -> Result<T, E>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    E: Send + 'static,
    C: Cache + ?Sized,
    F: Future<Output = Result<T, E>>,
{
    let Many { cache, items, refreshing, is_admitted, function } = many;
    let all = |items: &[(I, String)]| items.iter().map(|(element, _)| element.clone()).collect();
    if refreshing && deferred::is_current() {
        // Nothing is stored, and what it replaces is not served after the commit.
        let keys: Vec<_> = items.iter().map(|(_, key)| Scope::key(&**key)).collect();
        deferred::collect(cache, &keys, Strength::Hard);
    }
    if !is_admitted || refreshing && deferred::is_current() {
        return dependencies::bypass(body(all(&items))).await;
    }
    let asked: Vec<I> = if shape.is_ordered { all(&items) } else { Vec::new() };
    let compute = |missing: Vec<I>| {
        let asked = missing.clone();
        let computed = body(missing);
        async move { computed.await.map(|output| (shape.split)(output, &asked)) }
    };
    let terms = (policy, wanted.by(function));
    let values = match refreshing {
        false => read_through::get_or_compute_many(cache, items, terms, compute).await?,
        true => read_through::refresh_many(cache, items, terms, compute).await?,
    };
    Ok((shape.join)(values, asked))
}
