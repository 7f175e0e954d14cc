//! Complaints about options that would do nothing, because of what the function returns.

use std::sync::Arc;

use super::{
    comparison::{NoValue, Returned},
    output_kind::Fallible,
    type_checks::Nothing,
};
use crate::{
    error::TimedOut,
    value::{LocalValue, Value},
};

/// Does not compile for `negative_ttl` where no value is a `None`.
#[inline]
pub const fn check_negative_ttl<K: Returned<Value: MayBeNone>>(_: &K) {}

/// The types of which a value can be a `None`, as `negative_ttl` counts it.
#[diagnostic::on_unimplemented(
    message = "`negative_ttl` does nothing here: a `{Self}` is never `None`",
    label = "no value that it is for",
    note = "`negative_ttl` is for the `None` of a function that returns an `Option` (or a `Result` of one); errors are \
            not kept: return `Option<…>` for what was not found, or remove `negative_ttl`"
)]
pub trait MayBeNone {}

#[diagnostic::do_not_recommend]
impl<T> MayBeNone for Option<T> {}
#[diagnostic::do_not_recommend]
impl<T: MayBeNone> MayBeNone for Box<T> {}
#[diagnostic::do_not_recommend]
impl<T: MayBeNone> MayBeNone for Arc<T> {}
#[diagnostic::do_not_recommend]
impl MayBeNone for NoValue {}

/// Does not compile for `stale_if_error` where there are no errors.
#[inline]
pub const fn check_stale_if_error<K: MayFail>(_: &K) {}

/// What a function returns, where it can be an error.
#[diagnostic::on_unimplemented(
    message = "`stale_if_error` does nothing here: this function does not return a `Result`",
    label = "no error that it is for",
    note = "return a `Result`, or remove `stale_if_error`; with `timeout` it also says for how long an old result is \
            served when a computation takes long"
)]
pub trait MayFail {}

#[diagnostic::do_not_recommend]
impl<T, E, S> MayFail for Fallible<T, E, S> {}
#[diagnostic::do_not_recommend]
impl<R> MayFail for Nothing<R> {}

/// Does not compile for `share_err` where there are no errors.
#[inline]
pub const fn check_share_err<K: MayShare>(_: &K) {}

/// What a function returns, where it can be an error.
#[diagnostic::on_unimplemented(
    message = "`share_err` does nothing here: this function does not return a `Result`",
    label = "no error that it is for",
    note = "return a `Result`, or remove `share_err`"
)]
pub trait MayShare {}

#[diagnostic::do_not_recommend]
impl<T, E, S> MayShare for Fallible<T, E, S> {}
#[diagnostic::do_not_recommend]
impl<R> MayShare for Nothing<R> {}

/// Does not compile for `retry_after` where there are no errors.
#[inline]
pub const fn check_retry_after<K: MayFailAgain>(_: &K) {}

/// What a function returns, where it can be an error.
#[diagnostic::on_unimplemented(
    message = "`retry_after` does nothing here: this function does not return a `Result`",
    label = "no error that it is for",
    note = "return a `Result`, or remove `retry_after`"
)]
pub trait MayFailAgain {}

#[diagnostic::do_not_recommend]
impl<T, E, S> MayFailAgain for Fallible<T, E, S> {}
#[diagnostic::do_not_recommend]
impl<R> MayFailAgain for Nothing<R> {}

/// Does not compile for `cache_err` where there are no errors.
#[inline]
pub const fn check_cache_err<K: MayKeep>(_: &K) {}

/// What a function returns, where it can be an error.
#[diagnostic::on_unimplemented(
    message = "`cache_err` does nothing here: this function does not return a `Result`",
    label = "no error that it is for",
    note = "return a `Result`, or remove `cache_err`; for a `None` there is `negative_ttl`"
)]
pub trait MayKeep {}

#[diagnostic::do_not_recommend]
impl<T, E, S> MayKeep for Fallible<T, E, S> {}
#[diagnostic::do_not_recommend]
impl<R> MayKeep for Nothing<R> {}

/// An error that can be kept where values are shared with other processes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept by `cache_err`",
    label = "not an error that can be kept",
    note = "an error is kept as a value is: derive `Clone`, `serde::Serialize` and `serde::Deserialize` for it",
    note = "with `local`, values and errors are kept in this process alone, and an error that is `Clone + Send + Sync + \
            'static` will do: `#[cached(…, local)]`"
)]
pub trait KeptError: Value {}

#[diagnostic::do_not_recommend]
impl<E: Value> KeptError for E {}

/// An error that can be kept in this process.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept by `cache_err`",
    label = "not an error that can be kept",
    note = "an error that is kept is `Clone + Send + Sync + 'static`: derive `Clone` for it, or put what is not into an \
            `Arc`"
)]
pub trait KeptErrorHere: LocalValue {}

#[diagnostic::do_not_recommend]
impl<E: LocalValue> KeptErrorHere for E {}

/// Does not compile for `deadline` where there are no errors.
#[inline]
pub const fn check_deadline<K: MayTimeOut>(_: &K) {}

/// What a function returns, where it can be an error.
#[diagnostic::on_unimplemented(
    message = "`deadline` does nothing here: this function does not return a `Result`",
    label = "no error that it is for",
    note = "return a `Result`, or remove `deadline`"
)]
pub trait MayTimeOut {}

#[diagnostic::do_not_recommend]
impl<T, E, S> MayTimeOut for Fallible<T, E, S> {}
#[diagnostic::do_not_recommend]
impl<R> MayTimeOut for Nothing<R> {}

/// Does not compile for `or` where there are no errors.
#[inline]
pub const fn check_or<K: MayDefault>(_: &K) {}

/// What a function returns, where it can be an error.
#[diagnostic::on_unimplemented(
    message = "`or` does nothing here: this function does not return a `Result`",
    label = "no error that it is for",
    note = "return a `Result`, or remove `or`"
)]
pub trait MayDefault {}

#[diagnostic::do_not_recommend]
impl<T, E, S> MayDefault for Fallible<T, E, S> {}
#[diagnostic::do_not_recommend]
impl<R> MayDefault for Nothing<R> {}

/// An error that can say that a call took too long.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say that a call took longer than its `deadline`",
    label = "not an error that a deadline can end with",
    note = "add a variant for it, and `impl From<larder::TimedOut> for …` (`#[from]` with thiserror); `anyhow::Error` and \
            `Box<dyn Error + Send + Sync>` have it already; or say what takes its place, `or = …`"
)]
pub trait FromTimedOut: From<TimedOut> {}

#[diagnostic::do_not_recommend]
impl<E: From<TimedOut>> FromTimedOut for E {}
