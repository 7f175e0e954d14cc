//! Functions of a list, whose values are cached one by one: what `#[cached_many]` calls.

mod call;
mod kinds;
mod shape;

pub use self::call::Many;
use self::shape::Shape;
use super::{
    call_flags::How,
    comparison::Returned,
    list_output::{ListElement, ListOutput, NamesElements},
    option_checks::{MayFail, MayFailAgain, MayShare, MayTimeOut},
    output_kind::{Fallible, Plain},
    terms::Terms,
    type_checks::{Cacheable, CacheableHere},
};
use crate::{
    cache::Cache,
    cache_core::Site,
    outcome::Observer,
    policy::Policy,
    value::{LocalValue, Value},
};

/// What a function of a list returns: values of type `V` for elements of type `I`, as a `T`, within what the kind `K` is.
/// Functions, not traits: see `fallible.rs`.
#[derive(Debug)]
pub struct OfMany<K, T, I, V> {
    kind: K,
    shape: Shape<T, I, V>,
}

impl<K: Copy, T, I, V> Clone for OfMany<K, T, I, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Copy, T, I, V> Copy for OfMany<K, T, I, V> {}

/// What a function of a list returns, by its kind.
pub trait OutputOfList<I> {
    /// The container.
    type Output: ListOutput<I>;
}

impl<I, T: ListOutput<I>, E, S> OutputOfList<I> for Fallible<T, E, S> {
    type Output = T;
}

impl<I, R: ListOutput<I>> OutputOfList<I> for Plain<R> {
    type Output = R;
}

type Of<K, I> =
    OfMany<K, <K as OutputOfList<I>>::Output, I, <<K as OutputOfList<I>>::Output as ListOutput<I>>::Value>;

/// A kind of output, of values for elements of a slice or of a `Vec`.
#[must_use]
pub fn of_many<I: ListElement, K: OutputOfList<I>>(kind: K) -> Of<K, I> {
    OfMany { kind, shape: Shape::new() }
}

/// The same, of a `BTreeSet`.
#[must_use]
pub fn of_btree_set<I: ListElement + Ord, K: OutputOfList<I>>(kind: K) -> Of<K, I> {
    OfMany { kind, shape: Shape::new().sorted() }
}

/// The same, of a `HashSet`.
#[must_use]
pub fn of_hash_set<I: ListElement, K: OutputOfList<I, Output: NamesElements>>(kind: K) -> Of<K, I> {
    OfMany { kind, shape: Shape::new() }
}

impl<K, T, I, V> Returned for OfMany<K, T, I, V> {
    type Value = V;
}

#[diagnostic::do_not_recommend]
impl<T, E, S, I, V> MayFail for OfMany<Fallible<T, E, S>, T, I, V> {}
#[diagnostic::do_not_recommend]
impl<T, E, S, I, V> MayFailAgain for OfMany<Fallible<T, E, S>, T, I, V> {}
#[diagnostic::do_not_recommend]
impl<T, E, S, I, V> MayShare for OfMany<Fallible<T, E, S>, T, I, V> {}
#[diagnostic::do_not_recommend]
impl<T, E, S, I, V> MayTimeOut for OfMany<Fallible<T, E, S>, T, I, V> {}

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

    /// Of a body that is given so many elements at most: of more, it is called again. As [`OfMany`] of one that is given all.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { shape: Shape { most: most.max(1), ..self.shape }, ..self }
    }

    /// A call, with no elements so far.
    pub fn begin<C: Cache + ?Sized>(self, cache: &C, site: Site, how: How) -> Many<'_, C, I>
    where
        V: LocalValue,
    {
        let core = cache.core();
        let is_admitted =
            core.has_admitted::<V>(cache.prefix(), site) || core.admit::<V>(cache.prefix(), site);
        let observer = if how == How::Observed { Observer::take_current() } else { Observer::default() };
        Many::new(cache, (how.is_refresh(), is_admitted), observer)
    }

    /// Under which terms a value is kept.
    pub fn terms(self, policy: Policy) -> Terms
    where
        V: Value,
    {
        Terms::shared::<V>(policy)
    }

    /// The same of a value that stays in this process.
    pub fn terms_local(self, policy: Policy) -> Terms
    where
        V: LocalValue,
    {
        Terms::local::<V>(policy)
    }
}

impl<K: Copy, T, I, V: Value> Cacheable for OfMany<K, T, I, V> {
    type Kind = Self;

    fn checked(&self) -> Self {
        *self
    }
}

impl<K: Copy, T, I, V: LocalValue> CacheableHere for OfMany<K, T, I, V> {
    type Kind = Self;

    fn checked_local(&self) -> Self {
        *self
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

/// Of a function without `unless`: every value is stored.
pub const fn all_stored<V>(_: &V) -> bool {
    false
}
