//! What is inside of structs, lists, maps and enums.

use std::cell::Cell;

use serde::de::{
    DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor, value::BorrowedStrDeserializer,
};

use super::{
    fault::{Fault, Names},
    recorder::Recorder,
    tree::{Id, Kind, Label},
};

/// The items of a list.
pub(super) struct Items<'e> {
    of: Recorder<'e>,
    id: Id,
    next: usize,
    length: usize,
    alike: bool,
}

impl<'e> Items<'e> {
    /// All of one type.
    pub(super) fn alike(of: Recorder<'e>, id: Id, length: usize) -> Self {
        Self { of, id, next: 0, length, alike: true }
    }

    /// Each of its own type.
    pub(super) fn numbered(of: Recorder<'e>, id: Id, length: usize) -> Self {
        Self { of, id, next: 0, length, alike: false }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if self.next == self.length {
            return Ok(None);
        }
        let label = if self.alike { Label::Inside } else { Label::At(self.next) };
        self.next += 1;
        seed.deserialize(self.of.inside(self.id, label)).map(Some)
    }
}

/// The one entry of a map, or none.
pub(super) struct Pair<'e> {
    of: Recorder<'e>,
    id: Id,
    offer: bool,
}

impl<'e> Pair<'e> {
    pub(super) fn new(of: Recorder<'e>, id: Id, offer: bool) -> Self {
        Self { of, id, offer }
    }
}

impl<'de> MapAccess<'de> for Pair<'_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if !std::mem::take(&mut self.offer) {
            return Ok(None);
        }
        seed.deserialize(self.of.inside(self.id, Label::Key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.of.inside(self.id, Label::Value))
    }
}

/// How far a struct has come with its fields.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// The field whose name was given, but whose value was not asked for.
    pub(super) offered: Option<usize>,
    /// Whether it is a value that has failed.
    pub(super) failed_inside: bool,
}

/// The fields of a struct, by name.
pub(super) struct Fields<'e, 'p> {
    of: Recorder<'e>,
    id: Id,
    names: Vec<(Label, &'static str)>,
    next: usize,
    progress: &'p Cell<Progress>,
}

impl<'e, 'p> Fields<'e, 'p> {
    pub(super) fn new(
        of: Recorder<'e>,
        id: Id,
        names: Vec<(Label, &'static str)>,
        progress: &'p Cell<Progress>,
    ) -> Self {
        Self { of, id, names, next: 0, progress }
    }

    /// Fields that the type has shown.
    pub(super) fn numbered(names: Names) -> Vec<(Label, &'static str)> {
        names.iter().enumerate().map(|(index, name)| (Label::At(index), *name)).collect()
    }
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        while self.of.exploration.tree(|tree| tree.is_skipped(self.id, self.next)) {
            self.next += 1;
        }
        let Some((_, name)) = self.names.get(self.next) else { return Ok(None) };
        self.progress.set(Progress { offered: Some(self.next), failed_inside: false });
        self.next += 1;
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let field = self.next - 1;
        self.progress.set(Progress::default());
        let frame = self.of.exploration.frame(self.id, field);
        let outcome = seed.deserialize(self.of.inside(self.id, self.names[field].0));
        if outcome.is_err() {
            self.of.exploration.fail(frame);
            self.progress.set(Progress { offered: None, failed_inside: true });
        }
        outcome
    }
}

/// One variant of an enum.
pub(super) struct Pick<'e> {
    of: Recorder<'e>,
    id: Id,
    variant: usize,
    name: &'static str,
}

impl<'e> Pick<'e> {
    pub(super) fn new(of: Recorder<'e>, id: Id, variant: usize, name: &'static str) -> Self {
        Self { of, id, variant, name }
    }

    fn enter(&self, kind: Kind) -> Result<(Recorder<'e>, Id), Fault> {
        let here = self.of.inside(self.id, Label::At(self.variant));
        Ok((here, here.enter(kind)?))
    }
}

impl<'de> EnumAccess<'de> for Pick<'_> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let variant = seed.deserialize(BorrowedStrDeserializer::new(self.name))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Pick<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.enter(Kind::UnitVariant).map(drop)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let (here, id) = self.enter(Kind::NewtypeVariant)?;
        seed.deserialize(here.inside(id, Label::Inside))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        let (here, id) = self.enter(Kind::TupleVariant(length))?;
        visitor.visit_seq(Items::numbered(here, id, length))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: Names, visitor: V) -> Result<V::Value, Fault> {
        let (here, id) = self.enter(Kind::StructVariant(fields))?;
        here.fields(id, Fields::numbered(fields), visitor)
    }
}
