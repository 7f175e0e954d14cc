//! What stands between a hostile payload and the stack, the heap and the clock of its reader, whatever
//! the codec.
//!
//! Codecs count containers at best: rmp-serde does not count enums, none counts an `Option` in a newtype
//! (of which one byte may stand for endlessly many), and bincode and postcard count nothing. So whatever has
//! something inside counts as a level here, and each item and field is counted; a number or a text by itself costs
//! nothing. What a payload says of the lengths of its collections is believed up to the length of the
//! payload, all collections together: that is what gets memory in advance. Strings and bytes are asked for
//! by reference, for the same reason: bincode allocates an owned one before it looks whether there are so
//! many bytes.
//!
//! What serde's derive buffers (`flatten`, `untagged`, tags) is watched while it is buffered, and is then
//! out of reach: it nests no deeper than the limit, and has no more items than were counted. One type can
//! still exhaust the stack, with this codec or another one: an `untagged` enum around a
//! `struct T(Option<Box<T>>)`, of which no value but nothing ever ends.

use std::cell::{Cell, RefCell};

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::{
    probe::AliasProbe,
    reason::{Refusal, Rejected},
    trace::{AskedType, Trace},
};
use crate::error::Cause;

/// Items allowed for a byte of payload, fields and the ends of collections included: bincode writes
/// nothing for a struct but its fields, so that structs in structs share a byte.
const ITEMS_PER_BYTE: usize = 64;

/// Items allowed in any case. More are needed only by collections of what has no bytes, which a length of
/// a few bytes can make endless.
const SPARE_ITEMS: usize = 1 << 16;

/// What one deserialization has left.
#[derive(Debug)]
pub(super) struct DecodeBudget {
    levels: Cell<usize>,
    items: Cell<usize>,
    reserve: Cell<usize>,
    verdict: Cell<Option<Rejected>>,
    pub(super) trace: Trace,
    pub(super) probe: Option<AliasProbe>,
    is_self_describing: bool,
    /// What the type said, where that is wanted.
    pub(super) said: Option<RefCell<Option<Cause>>>,
}

impl DecodeBudget {
    /// For so many bytes and levels; `is_self_describing` says whether the codec can be asked for anything at all.
    pub(super) fn new(payload: usize, deepest: usize, is_self_describing: bool, trace: Trace) -> Self {
        Self {
            trace,
            probe: None,
            said: None,
            is_self_describing,
            levels: Cell::new(deepest),
            items: Cell::new(payload.saturating_mul(ITEMS_PER_BYTE).saturating_add(SPARE_ITEMS)),
            reserve: Cell::new(payload),
            verdict: Cell::new(None),
        }
    }

    pub(super) fn guard<D>(&self, deserializer: D) -> Guarded<'_, D> {
        Guarded { inner: deserializer, budget: self }
    }

    /// The type refused what it read.
    #[cold]
    pub(super) fn refused(&self, error: Refusal) -> Rejected {
        if let Some(said) = &self.said {
            *said.borrow_mut() = Some(error.into());
        }
        Rejected::Decode
    }

    /// Why the deserialization was ended, if it was ended here.
    pub(super) fn verdict(&self) -> Option<Rejected> {
        self.verdict.get()
    }

    #[cold]
    #[inline(never)]
    fn end<T, E: serde::de::Error>(&self, verdict: Rejected) -> Result<T, E> {
        self.verdict.set(Some(verdict));
        Err(E::custom("over the limit"))
    }

    /// Goes on, if what was just asked for may be in these bytes.
    #[inline]
    fn go_on<E: serde::de::Error>(&self, fits: bool) -> Result<(), E> {
        if fits { Ok(()) } else { self.end(Rejected::Shape) }
    }

    /// The probe that is about the map in which this is called.
    #[inline]
    fn probe_here(&self) -> Option<&AliasProbe> {
        self.probe.as_ref().filter(|probe| probe.is_at(self.levels.get()))
    }

    /// Goes into something.
    #[inline]
    fn nested<T, E: serde::de::Error>(&self, inside: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let levels = self.levels.get();
        if levels == 0 {
            return self.end(Rejected::TooDeep);
        }
        self.levels.set(levels - 1);
        let outcome = inside();
        self.levels.set(levels);
        outcome
    }

    /// Counts an item of a collection, or a field.
    #[inline]
    fn item<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.items.get() {
            0 => self.end(Rejected::Decode),
            items => {
                self.items.set(items - 1);
                Ok(())
            }
        }
    }

    /// How many items get memory in advance, out of as many as are claimed.
    fn reserve(&self, claimed: usize) -> usize {
        let granted = claimed.min(self.reserve.get());
        self.reserve.set(self.reserve.get() - granted);
        granted
    }
}

/// Any part of a deserialization, watched.
pub(super) struct Guarded<'w, T> {
    inner: T,
    budget: &'w DecodeBudget,
}

impl<'w, T> Guarded<'w, T> {
    fn also<U>(&self, inner: U) -> Guarded<'w, U> {
        Guarded { inner, budget: self.budget }
    }
}

macro_rules! deserialize {
    ($($method:ident($($argument:ident: $type:ty),*) by $inner:ident: $ask:ident($($asked:expr),*);)+) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.budget.go_on(self.budget.trace.$ask($($asked),*))?;
            let visitor = self.also(visitor);
            self.inner.$inner($($argument,)* visitor)
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    /// What a format makes of this that does not describe itself is a guess at best.
    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if !self.budget.is_self_describing {
            return self.budget.end(Rejected::Decode);
        }
        self.budget.go_on(self.budget.trace.ask(AskedType::Any))?;
        let visitor = self.also(visitor);
        self.inner.deserialize_any(visitor)
    }

    deserialize! {
        deserialize_bool() by deserialize_bool: ask(AskedType::Bool);
        deserialize_i8() by deserialize_i8: ask(AskedType::I8);
        deserialize_i16() by deserialize_i16: ask(AskedType::I16);
        deserialize_i32() by deserialize_i32: ask(AskedType::I32);
        deserialize_i64() by deserialize_i64: ask(AskedType::I64);
        deserialize_i128() by deserialize_i128: ask(AskedType::I128);
        deserialize_u8() by deserialize_u8: ask(AskedType::U8);
        deserialize_u16() by deserialize_u16: ask(AskedType::U16);
        deserialize_u32() by deserialize_u32: ask(AskedType::U32);
        deserialize_u64() by deserialize_u64: ask(AskedType::U64);
        deserialize_u128() by deserialize_u128: ask(AskedType::U128);
        deserialize_f32() by deserialize_f32: ask(AskedType::F32);
        deserialize_f64() by deserialize_f64: ask(AskedType::F64);
        deserialize_char() by deserialize_char: ask(AskedType::Char);
        deserialize_str() by deserialize_str: ask(AskedType::Text);
        deserialize_string() by deserialize_str: ask(AskedType::Text);
        deserialize_bytes() by deserialize_bytes: ask(AskedType::Bytes);
        deserialize_byte_buf() by deserialize_bytes: ask(AskedType::Bytes);
        deserialize_option() by deserialize_option: ask(AskedType::Option);
        deserialize_unit() by deserialize_unit: ask(AskedType::Unit);
        deserialize_unit_struct(name: &'static str) by deserialize_unit_struct: ask_named(AskedType::UnitStruct, name);
        deserialize_newtype_struct(name: &'static str) by deserialize_newtype_struct: ask_named(AskedType::NewtypeStruct, name);
        deserialize_seq() by deserialize_seq: ask(AskedType::Seq);
        deserialize_tuple(length: usize) by deserialize_tuple: ask_sized(AskedType::Tuple, "", length);
        deserialize_tuple_struct(name: &'static str, length: usize) by deserialize_tuple_struct: ask_sized(AskedType::TupleStruct, name, length);
        deserialize_map() by deserialize_map: ask(AskedType::Map);
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) by deserialize_struct: ask_struct(name, fields);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) by deserialize_enum: ask_enum(name, variants);
        deserialize_identifier() by deserialize_identifier: ask(AskedType::Identifier);
        deserialize_ignored_any() by deserialize_ignored_any: ask(AskedType::Ignored);
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident: $type:ty;)+) => {$(
        #[inline]
        fn $method<E: serde::de::Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )+};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool: bool;
        visit_i8: i8;
        visit_i16: i16;
        visit_i32: i32;
        visit_i64: i64;
        visit_i128: i128;
        visit_u8: u8;
        visit_u16: u16;
        visit_u32: u32;
        visit_u64: u64;
        visit_u128: u128;
        visit_f32: f32;
        visit_f64: f64;
        visit_char: char;
        visit_str: &str;
        visit_borrowed_str: &'de str;
        visit_string: String;
        visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8];
        visit_byte_buf: Vec<u8>;
    }

    #[inline]
    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.also(deserializer);
        self.budget.nested(|| self.inner.visit_some(deserializer))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.also(deserializer);
        self.budget.nested(|| self.inner.visit_newtype_struct(deserializer))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.also(access);
        self.budget.nested(|| self.inner.visit_seq(access))
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.also(access);
        if let Some(probe) = &self.budget.probe {
            probe.enter(&self.budget.trace, self.budget.levels.get());
        }
        self.budget.nested(|| self.inner.visit_map(access))
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.also(access);
        self.budget.nested(|| self.inner.visit_enum(access))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.also(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.budget.item()?;
        self.inner.next_element_seed(self.also(seed))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|claimed| self.budget.reserve(claimed))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.budget.item()?;
        match self.budget.probe_here() {
            None => self.inner.next_key_seed(self.also(seed)),
            Some(probe) => probe.next_key(&mut self.inner, seed),
        }
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if let Some(probe) = self.budget.probe_here() {
            probe.next_value()?;
        }
        let seed = self.also(seed);
        self.inner.next_value_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|claimed| self.budget.reserve(claimed))
    }
}

impl<'w, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'w, A> {
    type Error = A::Error;
    type Variant = Guarded<'w, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (seed, budget) = (self.also(seed), self.budget);
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, budget.guard(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.budget.go_on(self.budget.trace.ask(AskedType::UnitVariant))?;
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.budget.go_on(self.budget.trace.ask(AskedType::NewtypeVariant))?;
        let seed = self.also(seed);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.budget.go_on(self.budget.trace.ask_sized(AskedType::TupleVariant, "", length))?;
        let visitor = self.also(visitor);
        self.inner.tuple_variant(length, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.budget.go_on(self.budget.trace.ask_struct_variant(fields))?;
        let visitor = self.also(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
