//! A deserializer that has no data: it notes what it is asked for, and answers with the least that
//! will do.

use std::{any::type_name, cell::Cell};

use serde::de::{Deserializer, Visitor};

use super::{
    access::{Fields, Items, Pair, Pick, Progress},
    exploration::Exploration,
    fault::Fault,
    tree::{Choice, Id, Kind, Label, ROOT},
};

/// More levels than this are not entered. It takes a type of as many parts to have them, because a
/// type in itself is not walked again.
const DEEPEST: usize = 64;

/// For types that validate their strings: the most usual of them.
const STRINGS: [&str; 16] = [
    "",
    "a",
    "0",
    "00000000-0000-0000-0000-000000000000",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00",
    "1970-01-01",
    "00:00:00",
    "127.0.0.1",
    "127.0.0.1:80",
    "::1",
    "[::1]:80",
    "http://localhost/",
    "a@localhost.test",
    "1.0.0",
    "en",
];

/// For types that validate their bytes: lengths of addresses, identifiers, hashes.
const LENGTHS: [usize; 9] = [0, 16, 4, 8, 12, 20, 24, 32, 64];
const BYTES: &[u8] = &[0; 64];

/// A place where something can be asked for.
#[derive(Clone, Copy)]
pub(super) struct Recorder<'e> {
    pub(super) exploration: &'e Exploration,
    pub(super) parent: Id,
    pub(super) label: Label,
    pub(super) depth: usize,
    /// How many buffering requests this one is inside of.
    pub(super) buffers: usize,
    /// Whether this is inside of a type that was met before: it is answered, and not explored.
    pub(super) met: bool,
}

impl<'e> Recorder<'e> {
    pub(super) fn new(exploration: &'e Exploration) -> Self {
        Self { exploration, parent: ROOT, label: Label::Inside, depth: 0, buffers: 0, met: false }
    }

    /// The place inside of `parent`, which was asked for in this one.
    pub(super) fn inside(self, parent: Id, label: Label) -> Self {
        Self { parent, label, depth: self.depth + 1, ..self }
    }

    pub(super) fn enter(&self, kind: Kind) -> Result<Id, Fault> {
        if self.depth > DEEPEST {
            return Err(Fault::Refused);
        }
        self.exploration.enter(self.parent, self.label, kind)
    }

    /// The same for a type that has a name; and the recorder for what is inside.
    fn enter_type<T>(self, kind: Kind) -> Result<(Id, Self), Fault> {
        if self.depth > DEEPEST {
            return Err(Fault::Refused);
        }
        let (id, met) = self.exploration.enter_type(self.parent, self.label, kind, type_name::<T>())?;
        Ok((id, Self { met: self.met || met, ..self }))
    }

    /// The answer to be given at `id`. What was met before is explored there, but may still have to find
    /// an answer that is accepted.
    pub(super) fn choose(&self, id: Id, choice: Choice, answers: usize) -> usize {
        if self.met && choice != Choice::First {
            return self.exploration.tree(|tree| tree.node(id).answer.min(answers - 1));
        }
        self.exploration.choose(id, choice, answers)
    }

    fn scalar(&self, name: &'static str, answers: usize) -> Result<usize, Fault> {
        let id = self.enter(Kind::Scalar(name))?;
        Ok(self.choose(id, Choice::First, answers))
    }

    fn string<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(STRINGS[self.scalar("str", STRINGS.len())?])
    }

    fn bytes<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_bytes(&BYTES[..LENGTHS[self.scalar("bytes", LENGTHS.len())?]])
    }

    /// Offers the fields `names` of `id`, and learns from how that fails.
    pub(super) fn fields<'de, V: Visitor<'de>>(
        self,
        id: Id,
        names: Vec<(Label, &'static str)>,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let progress = Cell::new(Progress::default());
        let outcome = visitor.visit_map(Fields::new(self, id, names, &progress));
        let progress = progress.get();
        match outcome {
            Err(_) if progress.failed_inside => outcome,
            Err(Fault::Duplicate) => {
                if let Some(field) = progress.offered {
                    self.exploration.tree(|tree| tree.skip(id, field));
                    return Err(self.exploration.begin_again());
                }
                outcome
            }
            _ => outcome,
        }
    }

    /// Offers the names that are known at `id` by now; takes note of those that are wanted.
    pub(super) fn learned_fields<'de, V: Visitor<'de>>(self, id: Id, visitor: V) -> Result<V::Value, Fault> {
        let names = self.exploration.tree(|tree| tree.learned(id).to_vec());
        let known = names.len();
        let names = names.into_iter().map(|name| (Label::Named(name), name)).collect();
        let outcome = self.fields(id, names, visitor);
        let learned = match &outcome {
            Err(Fault::Missing(name)) => self.exploration.learn(id, &[name]),
            Err(Fault::UnknownField(names)) if known == 0 => self.exploration.learn(id, names),
            _ => false,
        };
        if learned { Err(self.exploration.begin_again()) } else { outcome }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            // A one for those who take anything but zero.
            let answer = self.scalar(stringify!($type), 2)?;
            visitor.$visit(if answer == 0 { 0 as $type } else { 1 as $type })
        }
    )+};
}

impl<'de> Deserializer<'de> for Recorder<'_> {
    type Error = Fault;

    numbers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
        deserialize_f32 visit_f32 f32;
        deserialize_f64 visit_f64 f64;
    }

    fn is_human_readable(&self) -> bool {
        self.exploration.human_readable
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.anything(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.scalar("bool", 1)?;
        visitor.visit_bool(false)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.scalar("char", 1)?;
        visitor.visit_char('a')
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.string(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let id = self.enter(Kind::Option)?;
        if self.met || self.choose(id, Choice::Each, 2) == 1 {
            return visitor.visit_none();
        }
        visitor.visit_some(self.inside(id, Label::Inside))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.scalar("unit", 1)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.enter(Kind::Unit(name))?;
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (id, inner) = self.enter_type::<V::Value>(Kind::Newtype(name))?;
        visitor.visit_newtype_struct(inner.inside(id, Label::Inside))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let id = self.enter(Kind::Seq)?;
        let empty = self.met || self.choose(id, Choice::Evasion, 2) == 1;
        visitor.visit_seq(Items::alike(self, id, usize::from(!empty)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        let id = self.enter(Kind::Tuple(length))?;
        visitor.visit_seq(Items::numbered(self, id, length))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (id, inner) = self.enter_type::<V::Value>(Kind::TupleStruct(name, length))?;
        visitor.visit_seq(Items::numbered(inner, id, length))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let id = self.enter(Kind::Map)?;
        if self.exploration.tree(|tree| tree.node(id).learns) {
            return self.learned_fields(id, visitor);
        }
        let empty = self.met || self.choose(id, Choice::Evasion, 2) == 1;
        visitor.visit_map(Pair::new(self, id, !empty))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (id, inner) = self.enter_type::<V::Value>(Kind::Struct(name, fields))?;
        inner.fields(id, Fields::numbered(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (id, inner) = self.enter_type::<V::Value>(Kind::Enum(name, variants))?;
        if variants.is_empty() {
            return Err(Fault::Refused);
        }
        let open = self.exploration.open(id);
        // A type in itself ends with one of its variants; which one, only trying tells.
        let answer =
            if inner.met { open % variants.len() } else { inner.choose(id, Choice::Each, variants.len()) };
        let outcome = visitor.visit_enum(Pick::new(inner, id, answer, variants[answer]));
        self.exploration.close(id);
        outcome
    }

    /// As the key of a map: it is a struct, of fields that it does not show. As a value: a name out of
    /// a list that comes with the error.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.label == Label::Key {
            self.exploration.tree(|tree| tree.node(self.parent).learns = true);
            return Err(self.exploration.begin_again());
        }
        let id = self.enter(Kind::Identifier)?;
        let known = self.exploration.tree(|tree| tree.learned(id).to_vec());
        if !known.is_empty() {
            return visitor.visit_borrowed_str(known[self.choose(id, Choice::Each, known.len())]);
        }
        match visitor.visit_borrowed_str("") {
            Err(Fault::UnknownVariant(names) | Fault::UnknownField(names))
                if self.exploration.learn(id, names) =>
            {
                Err(self.exploration.begin_again())
            }
            outcome => outcome,
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.scalar("ignored", 1)?;
        visitor.visit_unit()
    }
}
