//! Rows whose types larder knows as what they are.

use std::any::type_name;

use larder::{TieredCache, Value};

use crate::{
    Row,
    cached::Access,
    row::{At, BoxFuture, Case, Expected, Found},
    same::Traits,
};

/// A row of values that are made anew each time.
#[must_use]
pub fn row<T: Value>(
    name: &'static str,
    values: fn() -> Vec<T>,
    expected: Expected,
    access: Access<T>,
    traits: Traits<T>,
) -> Row {
    let traits = if expected.only_shown.is_some() { Traits { text: None, ..traits } } else { traits };
    Row::new(name, type_name::<T>(), expected, Concrete { values, access, traits })
}

struct Concrete<T> {
    values: fn() -> Vec<T>,
    access: Access<T>,
    traits: Traits<T>,
}

impl<T: Value> Case for Concrete<T> {
    fn count(&self) -> usize {
        (self.values)().len()
    }

    fn store<'a>(&'a self, cache: &'a TieredCache, at: At<'a>) -> BoxFuture<'a, larder::Result<()>> {
        let value = (self.values)().swap_remove(at.value);
        Box::pin(self.access.store(cache, at, value))
    }

    fn read<'a>(&'a self, cache: &'a TieredCache, at: At<'a>) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            let found = self.access.read(cache, at).await;
            Found::of(&(self.values)().swap_remove(at.value), found.as_ref(), &self.traits)
        })
    }
}
