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
        for &fields in asked {
            let of = fields.of;
            let written = || structs.iter().filter(|it| it.of == of);
            // Structs of which only one side is seen are not compared: what serde buffers, `from` and `into`.
            if written().next().is_none() || written().any(|it| it.tag == Last::UnitVariantOf(of)) {
                continue;
            }
            let is_asked = |name| asked.iter().any(|it| it.of == of && it.names.contains(&name));
            let is_written = |name| written().any(|it| it.names.contains(&name));
            for it in written() {
                let tagged = usize::from(it.tag == Last::Text);
                let unknown =
                    it.names.iter().enumerate().find(|&(at, name)| at >= tagged && !is_asked(*name));
                if let Some((_, name)) = unknown {
                    return Some(OneSided { of, name, is_written: true });
                }
            }
            let unknown = fields.names.iter().find(|&&name| !is_written(name) && !is_alias(fields, name));
            if let Some(name) = unknown {
                return Some(OneSided { of, name, is_written: false });
            }
        }
        None
    }
}
