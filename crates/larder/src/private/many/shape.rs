//! How the container of a function's values is taken apart, and put together.

use crate::private::list_output::{Join, ListElement, ListOutput, Split};

#[derive(Debug)]
pub(super) struct Shape<T, I, V> {
    pub(super) is_ordered: bool,
    pub(super) split: Split<T, I, V>,
    pub(super) join: Join<T, I, V>,
    /// Puts elements into the order in which the body is given them.
    pub(super) arrange: fn(&mut Vec<I>),
    /// How many of them it is given at most.
    pub(super) most: usize,
}

impl<T, I, V> Clone for Shape<T, I, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, I, V> Copy for Shape<T, I, V> {}

impl<T, I, V> Shape<T, I, V> {
    pub(super) fn new() -> Self
    where
        T: ListOutput<I, Value = V>,
        I: ListElement,
    {
        Self { is_ordered: T::IS_ORDERED, split: T::split, join: T::join, arrange: |_| {}, most: usize::MAX }
    }

    /// Of a body that is given a set which sorts them.
    pub(super) fn sorted(self) -> Self
    where
        I: Ord,
    {
        Self { arrange: |elements| elements.sort(), ..self }
    }
}
