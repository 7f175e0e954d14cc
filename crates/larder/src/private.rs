//! What the macros' output and `larder-http` call. Not for people: it changes without notice.

mod call;
pub mod comparison;
mod guard;
pub mod kind;
mod once;
mod part;
pub mod uncounted;

pub use self::{
    call::{Call, Options, fraction},
    guard::{Invalidate, Put},
    kind::Returns,
    once::{Cacheable, Nothing, Place, PlaceCache, PlaceNothing, Uncacheable, check_cache},
    part::{
        Arg, ArgDisplay, ArgFast, Copied, Digest, Dotted, Early, KeyPart, Lend, Loan, Own, OwnCopy,
        OwnNothing, Uncopied, check_own, digest, early, lend,
    },
};
#[cfg(fuzzing)]
pub use crate::wire::fuzzing;
pub use crate::{
    dependencies::{bypass, unrecorded},
    key::Key,
    registry::global,
};
