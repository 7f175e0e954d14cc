//! Without a server, no value is ever read back.

use std::{fmt::Debug, marker::PhantomData};

/// See `comparison.rs`.
pub(crate) struct Comparison<V>(PhantomData<fn() -> V>);

impl<V> Comparison<V> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }

    pub(crate) fn by_eq(self) -> Self
    where
        V: PartialEq,
    {
        self
    }

    pub(crate) fn by_text(self) -> Self
    where
        V: Debug,
    {
        self
    }

    #[expect(clippy::unused_self, reason = "as where values are compared")]
    pub(crate) fn remember(self) {}
}
