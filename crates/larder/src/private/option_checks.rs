//! Complaints about options that would do nothing, because of what the function returns.

use std::sync::Arc;

use super::{
    comparison::{NoValue, Returned},
    output_kind::Fallible,
    type_checks::Nothing,
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
