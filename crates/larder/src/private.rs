//! What the macros' output and `larder-http` call. Not for people: it changes without notice.

mod call;
pub mod comparison;
mod guard;
pub mod kind;
mod lints;
mod once;
mod owned;
mod part;
mod self_type;
pub mod uncounted;

pub use self::{
    call::{Call, Options, fraction},
    guard::{Invalidate, Put},
    kind::Returns,
    lints::{never, used},
    once::{Cacheable, Nothing, Place, PlaceCache, PlaceNothing, Uncacheable, check_cache},
    owned::{Copied, Lend, Loan, Own, OwnCopy, OwnNothing, Uncopied, check_own, lend},
    part::{
        Arg, ArgDisplay, ArgFast, ArgLossy, Digest, Dotted, Early, Fast, KeyPart, Lossless, digest, early,
    },
    self_type::{OneType, check_self, self_type},
};
pub use crate::{
    dependencies::{bypass, unrecorded},
    key::Key,
    registry::global,
};
#[cfg(fuzzing)]
pub use crate::{key::encoding::check as check_encoding, wire::fuzzing};
