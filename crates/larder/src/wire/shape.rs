//! The shape of a type, as its `Deserialize` shows it: so that one release never reads another's
//! struct as its own.
//!
//! Nothing is derived for it. The type is asked to deserialize itself from a [`Recorder`], which answers
//! every request with the least that will do, and notes what was asked for: names, order, kinds. Where a
//! request has several answers (the variants of an enum, `Some` and `None`), the walk is repeated until
//! each was given once. What a walk cannot see is the meaning of things: a unit of measure, a range.
//!
//! - [`tree`]: what was asked for, and what was answered;
//! - [`exploration`]: which answer to change before the next walk;
//! - [`recorder`], [`access`], [`free`]: one walk;
//! - [`fault`]: how a walk ends, and what can be learned from that.

mod access;
mod exploration;
mod fault;
mod free;
mod recorder;
mod tree;

use std::{
    any::{TypeId, type_name},
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
};

use arc_swap::ArcSwap;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::{exploration::Exploration, recorder::Recorder};
use super::codec::Codec;

/// What is known of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    fingerprint: u64,
    /// Whether some of it is out of sight, where it may confuse a codec: what was refused, and what serde
    /// buffers. (Of two variants without tags, one may read what the other wrote.)
    hidden: bool,
    /// Whether a codec with one `null` for all of them confuses an `Option` with what is inside.
    null_in_option: bool,
    /// The same for JSON, which has no other number for NaN.
    float_in_option: bool,
    whole: bool,
}

impl Shape {
    /// The shape of `V`, as it is for `codec`. Found out once in a process for a type, and then looked up.
    #[must_use]
    pub(crate) fn of<V: DeserializeOwned + 'static>(codec: Codec) -> Self {
        type Known = HashMap<(TypeId, bool), Shape, foldhash::fast::RandomState>;
        static KNOWN: LazyLock<ArcSwap<Known>> = LazyLock::new(ArcSwap::default);

        let key = (TypeId::of::<V>(), codec.is_human_readable());
        if let Some(shape) = KNOWN.load().get(&key) {
            return *shape;
        }
        // User code runs in here, and no lock is held. Whoever comes second finds the same.
        let shape = Self::explore::<V>(codec.is_human_readable());
        // A copy for each type of a program, once: what is looked up for each value takes no lock for it.
        KNOWN.rcu(|known| {
            let mut known = Known::clone(known);
            known.insert(key, shape);
            Arc::new(known)
        });
        shape
    }

    /// The number that stands in a message: the shape, and the version that the user gave to it.
    #[must_use]
    pub(crate) fn fingerprint(&self, schema: Option<u32>) -> u64 {
        match schema {
            None => self.fingerprint,
            Some(version) => xxh3_64_with_seed(&version.to_be_bytes(), self.fingerprint),
        }
    }

    /// Whether the type was walked to its end. Otherwise its name is in the fingerprint, in place of
    /// what was not seen.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether `codec` can be trusted with each value of the type, without reading it back.
    pub(super) fn is_kept_by(&self, codec: Codec) -> bool {
        match codec {
            Codec::MessagePack => !self.hidden && !self.null_in_option,
            Codec::Json => !self.hidden && !self.null_in_option && !self.float_in_option,
            // It drops what serde attributes leave out, and only the values show that.
            Codec::Bincode => false,
        }
    }

    fn explore<V: DeserializeOwned>(human_readable: bool) -> Self {
        let exploration = Exploration::new(human_readable);
        while exploration.goes_on() {
            // What larder invents here is no value that the type's author has thought of.
            let walk =
                catch_unwind(AssertUnwindSafe(|| V::deserialize(Recorder::new(&exploration)).map(drop)));
            match walk {
                Ok(outcome) => exploration.conclude(outcome),
                Err(_) => exploration.give_up(),
            }
        }
        let tree = exploration.into_tree();
        let mut bytes = tree.describe();
        if !tree.is_whole() {
            bytes.extend_from_slice(type_name::<V>().as_bytes());
        }
        Self {
            fingerprint: xxh3_64_with_seed(&bytes, b's'.into()),
            hidden: !tree.is_whole() || tree.has_any(),
            null_in_option: tree.has_null_in_option(),
            float_in_option: tree.has_float_in_option(),
            whole: tree.is_whole(),
        }
    }
}

#[cfg(test)]
mod tests;
