//! What functions of a list return: a value for each element, in one of several containers.

use std::{
    any::type_name,
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, Hash},
};

/// From what the body returned to the values of the elements that it was asked for.
pub(super) type Split<T, I, V> = fn(T, &[I]) -> HashMap<I, V>;
/// From the values to what the function returns, for the elements in order where that counts.
pub(super) type Join<T, I, V> = fn(HashMap<I, V>, Vec<I>) -> T;

/// What a function returns that is cached for each element of type `I`. What elements have to be is for the methods alone: of
/// those that are not, `ListElement` complains, and not this too.
#[diagnostic::on_unimplemented(
    message = "`#[cached_many]` finds no value for each `{I}` in a `{Self}`",
    label = "neither `HashMap<{I}, _>` nor `Vec<_>`",
    note = "return a `HashMap<{I}, V>` or a `BTreeMap<{I}, V>` of what was found; or a `Vec<V>` with a value for each \
            element, in their order, where `V` can be an `Option`"
)]
pub trait ListOutput<I> {
    /// The type of a value.
    type Value;
    /// Whether the order of the elements counts.
    const IS_ORDERED: bool;

    /// The values of the elements that the body was asked for.
    fn split(self, elements: &[I]) -> HashMap<I, Self::Value>
    where
        I: Clone + Eq + Hash;
    /// The values of the elements in the container.
    fn join(values: HashMap<I, Self::Value>, elements: Vec<I>) -> Self
    where
        I: Eq + Hash;
}

/// What is looked up one by one.
#[diagnostic::on_unimplemented(
    message = "elements of type `{Self}` cannot be told apart",
    label = "not `Clone + Eq + Hash`",
    note = "the elements of a list under `#[cached_many]` are `Clone + Eq + Hash`"
)]
pub trait ListElement: Clone + Eq + Hash {}

#[diagnostic::do_not_recommend]
impl<I: Clone + Eq + Hash> ListElement for I {}

/// An output that says which value is whose, whatever the order.
#[diagnostic::on_unimplemented(
    message = "the elements of a `HashSet` have no order by which the values of a `{Self}` could be told apart",
    label = "not a map",
    note = "return a `HashMap` or a `BTreeMap` of what was found; or take a slice, a `Vec` or a `BTreeSet`, for which a \
            `Vec` has a value for each element in their order"
)]
pub trait NamesElements {}

#[diagnostic::do_not_recommend]
impl<I, V, S> NamesElements for HashMap<I, V, S> {}

#[diagnostic::do_not_recommend]
impl<I, V> NamesElements for BTreeMap<I, V> {}

#[diagnostic::do_not_recommend]
impl<I, V, S: BuildHasher + Default> ListOutput<I> for HashMap<I, V, S> {
    type Value = V;
    const IS_ORDERED: bool = false;

    fn split(self, _: &[I]) -> HashMap<I, V>
    where
        I: Eq + Hash,
    {
        self.into_iter().collect()
    }

    fn join(values: HashMap<I, V>, _: Vec<I>) -> Self
    where
        I: Eq + Hash,
    {
        values.into_iter().collect()
    }
}

#[diagnostic::do_not_recommend]
impl<'e, V, S: BuildHasher + Default> ListOutput<&'e str> for HashMap<String, V, S> {
    type Value = V;
    const IS_ORDERED: bool = false;

    fn split(mut self, elements: &[&'e str]) -> HashMap<&'e str, V> {
        elements.iter().filter_map(|element| Some((*element, self.remove(*element)?))).collect()
    }

    fn join(values: HashMap<&'e str, V>, _: Vec<&'e str>) -> Self {
        values.into_iter().map(|(element, value)| (element.to_owned(), value)).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<I: Eq + Hash + Ord, V> ListOutput<I> for BTreeMap<I, V> {
    type Value = V;
    const IS_ORDERED: bool = false;

    fn split(self, _: &[I]) -> HashMap<I, V> {
        self.into_iter().collect()
    }

    fn join(values: HashMap<I, V>, _: Vec<I>) -> Self {
        values.into_iter().collect()
    }
}

#[diagnostic::do_not_recommend]
impl<'e, V> ListOutput<&'e str> for BTreeMap<String, V> {
    type Value = V;
    const IS_ORDERED: bool = false;

    fn split(mut self, elements: &[&'e str]) -> HashMap<&'e str, V> {
        elements.iter().filter_map(|element| Some((*element, self.remove(*element)?))).collect()
    }

    fn join(values: HashMap<&'e str, V>, _: Vec<&'e str>) -> Self {
        values.into_iter().map(|(element, value)| (element.to_owned(), value)).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<I, V: Clone> ListOutput<I> for Vec<V> {
    type Value = V;
    const IS_ORDERED: bool = true;

    /// # Panics
    ///
    /// If there is not one value for each element: which value is whose cannot be told then.
    fn split(self, elements: &[I]) -> HashMap<I, V>
    where
        I: Clone + Eq + Hash,
    {
        assert!(
            self.len() == elements.len(),
            "a function under `#[cached_many]` returned {} values of type `{}` for {} elements: a `Vec` has one for \
             each element, in their order; return a `HashMap` of those that were found, or a `Vec<Option<_>>`",
            self.len(),
            type_name::<V>(),
            elements.len(),
        );
        elements.iter().cloned().zip(self).collect()
    }

    fn join(values: HashMap<I, V>, elements: Vec<I>) -> Self
    where
        I: Eq + Hash,
    {
        elements.iter().filter_map(|element| values.get(element).cloned()).collect()
    }
}
