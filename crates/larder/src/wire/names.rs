//! The names that `Serialize` writes, beside those that `Deserialize` asks for.
//!
//! A field that only one of the two knows (`skip_serializing`, `skip_deserializing`, a `rename` of one side) is lost
//! on its way, and the value that comes back may still serialize as the one that was stored. Where nothing else
//! compares two values of a type, such a type is not shared.

use std::cell::{Cell, RefCell};

use super::{
    mix::{self, mix},
    trace::AskedFields,
};

/// The names of fields that a value wrote, or said that it skips.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The structs that are being written, one in the other.
    open: RefCell<Vec<OpenStruct>>,
    /// Their names, those of the innermost last.
    names: RefCell<Vec<&'static str>>,
    structs: RefCell<Vec<Struct>>,
    /// What the field that is being written turned out to be.
    last: Cell<Last>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Last {
    #[default]
    Other,
    Text,
    UnitVariantOf(&'static str),
}

#[derive(Debug)]
struct OpenStruct {
    of: &'static str,
    begin: usize,
    tag: Last,
}

/// A struct, or a variant of an enum.
#[derive(Debug)]
struct Struct {
    of: &'static str,
    names: Vec<&'static str>,
    /// What its first field is. A text may be a tag, which nothing asks for. A variant of the enum itself is the tag
    /// of an enum with `tag` and `content`, whose fields depend on the variant.
    tag: Last,
}

/// A name that only one side knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OneSided {
    /// The struct's or the enum's.
    pub(crate) of: &'static str,
    /// The field's.
    pub(crate) name: &'static str,
    /// Whether `Serialize` writes it; otherwise `Deserialize` asks for it.
    pub(crate) is_written: bool,
}

impl Written {
    /// A struct begins.
    pub(super) fn begin(&self, of: &'static str) {
        let begin = self.names.borrow().len();
        self.open.borrow_mut().push(OpenStruct { of, begin, tag: Last::Other });
    }

    /// A field of it begins, or is skipped.
    pub(super) fn name(&self, name: &'static str) {
        self.names.borrow_mut().push(name);
        self.last.set(Last::Other);
    }

    /// A text is written.
    pub(super) fn text(&self) {
        self.last.set(Last::Text);
    }

    /// A variant without fields is written.
    pub(super) fn unit_variant(&self, of: &'static str) {
        self.last.set(Last::UnitVariantOf(of));
    }

    /// A field ends.
    pub(super) fn named(&self) {
        let last = self.last.take();
        if let Some(open) = self.open.borrow_mut().last_mut()
            && self.names.borrow().len() == open.begin + 1
        {
            open.tag = last;
        }
    }

    /// The struct ends.
    pub(super) fn end(&self) {
        self.last.set(Last::Other);
        let Some(OpenStruct { of, begin, tag }) = self.open.borrow_mut().pop() else { return };
        let mut names = self.names.borrow_mut();
        let mut structs = self.structs.borrow_mut();
        if !structs.iter().any(|known| known.of == of && known.names == names[begin..]) {
            structs.push(Struct { of, names: names[begin..].to_vec(), tag });
        }
        names.truncate(begin);
    }

    /// A hash of all names, and of those that were `asked` for.
    pub(super) fn hash(&self, asked: &[AskedFields]) -> u64 {
        let structs = self.structs.borrow();
        let written = structs.iter().map(|it| mix(mix::text(it.of), mix::names(&it.names)));
        let asked = asked.iter().map(|it| mix(mix::names(it.names), mix::text(it.of)));
        written.chain(asked).fold(0, u64::wrapping_add)
    }

    /// A name that only one side knows, if there is one. `is_alias` tells whether a name that was asked for is
    /// another one of a field that was written.
    pub(super) fn one_sided(
        &self,
        asked: &[AskedFields],
        is_alias: impl Fn(AskedFields, &'static str) -> bool,
    ) -> Option<OneSided> {
        let structs = self.structs.borrow();
        asked.iter().enumerate().find_map(|(at, fields)| {
            let of = fields.of;
            if asked[..at].iter().any(|before| before.of == of) {
                return None;
            }
            // Several, for variants of an enum, and for structs of one name.
            let asked: Vec<AskedFields> = asked.iter().filter(|it| it.of == of).copied().collect();
            let written: Vec<&Struct> = structs.iter().filter(|it| it.of == of).collect();
            // Structs of which only one side is seen are not compared: what serde buffers, `from` and `into`.
            if written.is_empty() || written.iter().any(|it| it.tag == Last::UnitVariantOf(of)) {
                return None;
            }
            let (name, is_written) =
                unknown(&written, &asked, &is_alias).or_else(|| unmatched(&written, &asked))?;
            Some(OneSided { of, name, is_written })
        })
    }
}

impl Struct {
    /// The names of its fields, without what may be a tag.
    fn fields(&self) -> &[&'static str] {
        &self.names[usize::from(self.tag == Last::Text)..]
    }
}

/// A name that none of the other side has, and whether it is written.
fn unknown(
    written: &[&Struct],
    asked: &[AskedFields],
    is_alias: impl Fn(AskedFields, &'static str) -> bool,
) -> Option<(&'static str, bool)> {
    let is_asked = |name| asked.iter().any(|it| it.names.contains(&name));
    let is_written = |name| written.iter().any(|it| it.names.contains(&name));
    let mut names = written.iter().flat_map(|it| it.fields());
    if let Some(name) = names.find(|name| !is_asked(**name)) {
        return Some((name, true));
    }
    asked.iter().find_map(|&fields| {
        let name = fields.names.iter().find(|&&name| !is_written(name) && !is_alias(fields, name));
        name.map(|name| (*name, false))
    })
}

/// A name that one struct lacks, although another one of the same name has it: what is written has to be what is asked for,
/// struct by struct. Names that none writes are aliases.
fn unmatched(written: &[&Struct], asked: &[AskedFields]) -> Option<(&'static str, bool)> {
    let is_alias = |name| !written.iter().any(|it| it.names.contains(&name));
    let more = |it: &Struct, fields: AskedFields| {
        it.fields().iter().find(|name| !fields.names.contains(name)).copied()
    };
    let lacks = |it: &Struct, fields: AskedFields| {
        fields.names.iter().find(|&&name| !it.names.contains(&name) && !is_alias(name)).copied()
    };
    let match_each = |pairs: &mut dyn Iterator<Item = (&Struct, AskedFields)>| {
        let mut lacking = None;
        for (it, fields) in pairs {
            let found = lacks(it, fields).map(|name| (name, false));
            lacking = Some(found.or_else(|| more(it, fields).map(|name| (name, true)))?);
        }
        lacking
    };
    let of_written = written.iter().find_map(|it| match_each(&mut asked.iter().map(|fields| (*it, *fields))));
    of_written
        .or_else(|| asked.iter().find_map(|fields| match_each(&mut written.iter().map(|it| (*it, *fields)))))
}
