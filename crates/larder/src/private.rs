//! What the output of the macros calls. It changes without notice; [`internal`](crate::internal) is for sister crates.

mod call;
mod call_flags;
mod comparison;
mod compute;
mod fallible;
mod function_static;
mod infallible;
mod key_part;
#[cfg(feature = "limit")]
mod limit;
mod lints;
mod list_output;
mod many;
mod named_functions;
mod option_checks;
mod options;
mod output_kind;
mod owned_copy;
mod plain;
mod self_type;
mod stream;
mod terms;
mod type_checks;
mod uncacheable_many;
mod unfinished;
mod write_guards;

#[cfg(feature = "limit")]
pub use self::limit::{LimitedCall, ReturnsLimited, limited, rate};
pub use self::{
    call::Call,
    call_flags::{
        How, observed, observed_async_stream, observed_blocking, observed_many, observed_stream, warmed,
    },
    comparison::compared,
    key_part::{Arg, Digest, Dotted, Early, Fast, KeyPart, Lossless, digest, early},
    lints::{call, never, used},
    list_output::ListOutput,
    many::{Again, Many, OfMany, again, all_stored, elements, of_btree_set, of_hash_set, of_many},
    named_functions::{CachedWithCompanions, NoPrefix, Target, ToInvalidate, not_cached},
    option_checks::{
        check_cache_err, check_deadline, check_negative_ttl, check_or, check_retry_after, check_share_err,
        check_stale_if_error,
    },
    options::{LengthOfTime, Options, duration, fraction},
    output_kind::Returns,
    owned_copy::{Copied, Lend, Loan, Own, Uncopied, check_own, lend},
    self_type::{OneType, check_self, owner, owner_of, self_type},
    stream::{CachedStream, Items, NoItems, NoStream, StreamCall},
    terms::Terms,
    type_checks::{MaybeCache, Nothing, check_cache},
    uncacheable_many::NothingOfMany,
    unfinished::Unfinished,
    write_guards::{Invalidate, Put},
};
#[cfg(feature = "limit")]
pub use crate::gcra::Rate;

/// Traits whose methods choose by a concrete type: of several impls, the one that applies after the fewest steps of
/// autoref. They come into scope without names, so that they meet none of the user's.
pub mod choices {
    pub use super::{
        comparison::{ByBoth as _, ByEq as _, ByNothing as _, ByText as _},
        key_part::{ArgDisplay as _, ArgFast as _, ArgLossy as _},
        output_kind::{
            NoResult as _, SuccessOfAny as _, SuccessOfOption as _, SuccessOfResult as _,
            UnfinishedFuture as _, UnfinishedFutureOfOption as _, UnfinishedFutureOfResult as _,
            UnfinishedStream as _, UnfinishedStreamOfResult as _, WithClone as _, WithError as _,
            WithNothing as _, WithPointer as _, WithText as _,
        },
        owned_copy::{OwnCopy as _, OwnNothing as _},
        type_checks::{
            ACache as _, Cacheable as _, CacheableHere as _, NoCache as _, Uncacheable as _,
            UncacheableHere as _,
        },
        uncacheable_many::UncacheableMany as _,
        unfinished::{WithFuture as _, WithStream as _},
    };
}

/// A reference to an argument.
pub type Borrowed<'a, T> = &'a T;

pub use crate::{
    __function as function, __or_return as or_return,
    cache_core::{Function, Site},
    dependencies::{bypass, bypass_blocking},
    key::Key,
    registry::global,
    warm::Warmed,
};
#[cfg(fuzzing)]
pub use crate::{key::encoding::check as check_encoding, wire::fuzzing};
