//! Whether a name that a struct's `Deserialize` lists is an alias of a field it has, or a field of its own.
//!
//! Both stand in the same list. The real bytes of a value are read once more, and behind the last field of the
//! struct stands one more key: the name in question. For an alias of a field that was there, the type refuses
//! ("duplicate field") without asking for the value. For a field of its own it asks for the value, and is given
//! none: the reading ends. So no code of the type's author ever runs on data that was not stored by its user.

use std::cell::Cell;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, value::BorrowedStrDeserializer};

use super::trace::{AskedFields, Trace};

/// One question about one name.
#[derive(Debug)]
pub(super) struct AliasProbe {
    fields: AskedFields,
    name: &'static str,
    /// That of the first struct with these fields: how many levels are left in it.
    level: Cell<Option<usize>>,
    given: Cell<bool>,
    asked: Cell<bool>,
}

impl AliasProbe {
    pub(super) fn new(fields: AskedFields, name: &'static str) -> Self {
        Self { fields, name, level: Cell::default(), given: Cell::default(), asked: Cell::default() }
    }

    /// The answer, after a reading.
    pub(super) fn is_alias(&self) -> bool {
        self.given.get() && !self.asked.get()
    }

    #[inline]
    pub(super) fn is_at(&self, level: usize) -> bool {
        self.level.get() == Some(level)
    }

    /// A map begins where so many levels are left.
    #[cold]
    pub(super) fn enter(&self, trace: &Trace, levels: usize) {
        if self.level.get().is_none() && trace.has_just_asked_for(self.fields) {
            self.level.set(levels.checked_sub(1));
        }
    }

    /// The next key: those that are there, and then the one in question.
    #[cold]
    pub(super) fn next_key<'de, A, S>(&self, access: &mut A, seed: S) -> Result<Option<S::Value>, A::Error>
    where
        A: MapAccess<'de>,
        S: DeserializeSeed<'de>,
    {
        let mut kept = Some(seed);
        let key = access.next_key_seed(KeptSeed(&mut kept))?;
        match kept {
            Some(seed) if key.is_none() && !self.given.replace(true) => {
                seed.deserialize(BorrowedStrDeserializer::new(self.name)).map(Some)
            }
            _ => Ok(key),
        }
    }

    /// The next value is asked for.
    #[cold]
    pub(super) fn next_value<E: Error>(&self) -> Result<(), E> {
        if self.given.get() {
            self.asked.set(true);
            return Err(E::custom("there is no value"));
        }
        Ok(())
    }
}

/// A seed that is still there if it was not needed.
struct KeptSeed<'s, S>(&'s mut Option<S>);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for KeptSeed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        match self.0.take() {
            Some(seed) => seed.deserialize(deserializer),
            None => Err(D::Error::custom("the key was read already")),
        }
    }
}
