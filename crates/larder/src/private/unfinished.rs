//! A future or a stream that a function returns under another name, which its macro could not see: one error that says so,
//! unless it can be kept as any other value.

use std::{future::Future, marker::PhantomData};

use futures_core::Stream;

use super::{
    list_output::ListOutput,
    many::OutputOfList,
    output_kind::{Plain, Returns},
    type_checks::{Cacheable, CacheableHere, Uncacheable, UncacheableHere},
};
use crate::value::{LocalValue, Value};

/// A kind of output of which there is more to come. `W` says what.
#[derive(Debug)]
pub struct Unfinished<R, W>(PhantomData<fn() -> (R, W)>);

/// It is a future.
#[derive(Debug)]
pub enum AFuture {}

/// It is a stream.
#[derive(Debug)]
pub enum AStream {}

/// A choice as those of `output_kind`, before all of them.
pub trait WithFuture {
    /// The kind.
    type Kind;
    /// The kind.
    fn kind(&self) -> Self::Kind;
}

impl<F: Future> WithFuture for &&&&&&&Returns<F> {
    type Kind = Unfinished<F, AFuture>;

    fn kind(&self) -> Self::Kind {
        Unfinished(PhantomData)
    }
}

/// The same of streams.
pub trait WithStream {
    /// The kind.
    type Kind;
    /// The kind.
    fn kind(&self) -> Self::Kind;
}

impl<S: Stream> WithStream for &&&&&&Returns<S> {
    type Kind = Unfinished<S, AStream>;

    fn kind(&self) -> Self::Kind {
        Unfinished(PhantomData)
    }
}

/// A future that is kept as a value. `W` says where.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a future: `#[cached]` stores what a function gives, and this one has given nothing yet",
    label = "a future",
    note = "write an `async fn` that awaits it and returns what it gives; or end the function with \
            `Box::pin(async move {{ … }})`, and name that type: `BoxFuture<'_, T>`, `Pin<Box<dyn Future<Output = T> + Send>>`"
)]
pub trait FutureAsValue<W> {}

/// A stream that is kept as a value. `W` says where.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a stream, under a name that does not say of which items: `#[cached]` stores those",
    label = "a stream",
    note = "name them where the function returns it: `impl Stream<Item = T>`, `BoxStream<'_, T>`, \
            `Pin<Box<dyn Stream<Item = T> + Send>>`"
)]
pub trait StreamAsValue<W> {}

/// Wherever values are.
#[derive(Debug)]
pub enum Everywhere {}

/// In this process.
#[derive(Debug)]
pub enum Here {}

#[diagnostic::do_not_recommend]
impl<R: Value> FutureAsValue<Everywhere> for R {}
#[diagnostic::do_not_recommend]
impl<R: LocalValue> FutureAsValue<Here> for R {}
#[diagnostic::do_not_recommend]
impl<R: Value> StreamAsValue<Everywhere> for R {}
#[diagnostic::do_not_recommend]
impl<R: LocalValue> StreamAsValue<Here> for R {}

impl<R> Unfinished<R, AFuture> {
    /// Complains of a future.
    pub fn check(&self)
    where
        R: FutureAsValue<Everywhere>,
    {
    }

    /// The same of what stays in this process.
    pub fn check_local(&self)
    where
        R: FutureAsValue<Here>,
    {
    }
}

impl<R> Unfinished<R, AStream> {
    /// Complains of a stream.
    pub fn check(&self)
    where
        R: StreamAsValue<Everywhere>,
    {
    }

    /// The same of what stays in this process.
    pub fn check_local(&self)
    where
        R: StreamAsValue<Here>,
    {
    }
}

impl<R: Value, W> Cacheable for Unfinished<R, W> {
    type Kind = Plain<R>;

    fn checked(&self) -> Plain<R> {
        Plain::NEW
    }
}

impl<R, W> Uncacheable for &Unfinished<R, W> {
    type Output = R;
}

impl<R: LocalValue, W> CacheableHere for Unfinished<R, W> {
    type Kind = Plain<R>;

    fn checked_local(&self) -> Plain<R> {
        Plain::NEW
    }
}

impl<R, W> UncacheableHere for &Unfinished<R, W> {
    type Output = R;
}

impl<I, R: ListOutput<I>, W> OutputOfList<I> for Unfinished<R, W> {
    type Output = R;
}
