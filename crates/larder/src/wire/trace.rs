//! What a type's `Deserialize` asks for while it reads real bytes: its shape.
//!
//! Every request is mixed into a hash as it is made: the names of structs and enums and the lists of their fields
//! and variants, the kinds and widths of scalars, lengths of tuples, `Option`s. Nothing is invented for it: the
//! writer reads its own message back before it shares it, and the reader is reading anyway. The same type makes the
//! same requests of the same bytes; another one is noticed by the first request that differs.
//!
//! What serde buffers (`flatten`, `untagged`, internal tags, `serde_json::Value`) is asked for as "anything", and
//! then out of sight. A trace says so ([`Trace::is_buffered`]), and a digest of the value takes its part.

use std::cell::{Cell, RefCell};

use smallvec::SmallVec;

use super::mix::{mix, names_of_type, text};

/// What is asked for. The numbers are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedType {
    Any = 1,
    Bool = 2,
    I8 = 3,
    I16 = 4,
    I32 = 5,
    I64 = 6,
    I128 = 7,
    U8 = 8,
    U16 = 9,
    U32 = 10,
    U64 = 11,
    U128 = 12,
    F32 = 13,
    F64 = 14,
    Char = 15,
    Text = 16,
    Bytes = 17,
    Option = 18,
    Unit = 19,
    UnitStruct = 20,
    NewtypeStruct = 21,
    Seq = 22,
    Tuple = 23,
    TupleStruct = 24,
    Map = 25,
    Struct = 26,
    Enum = 27,
    Identifier = 28,
    Ignored = 29,
    UnitVariant = 30,
    NewtypeVariant = 31,
    TupleVariant = 32,
    StructVariant = 33,
}

/// The number that stands for a value's type in a header: 16 bits for the version that the user gave to the type
/// and its first request, so that most of what is foreign is known before it is read; 48 for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(super) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub(super) const fn number(self) -> u64 {
        self.0
    }

    const fn new(root: u16, all: u64) -> Self {
        Self(((root as u64) << 48) | (all >> 16))
    }

    pub(super) const fn root(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

/// The fields that a `Deserialize` takes for those of a struct or of a struct variant.
#[derive(Debug, Clone, Copy)]
pub(super) struct AskedFields {
    /// The struct's name, or the enum's.
    pub(super) of: &'static str,
    /// Aliases included.
    pub(super) names: &'static [&'static str],
}

/// A list of names that was asked for, and its hash.
#[derive(Debug)]
struct List {
    of: &'static str,
    names: &'static [&'static str],
    hash: u64,
    is_fields: bool,
}

/// The requests so far.
#[derive(Debug)]
pub(super) struct Trace {
    state: Cell<u64>,
    begun: Cell<bool>,
    root: Cell<u16>,
    expected: Option<u16>,
    buffered: Cell<bool>,
    last: Cell<AskedType>,
    /// Those of the last struct or struct variant.
    last_fields: Cell<AskedFields>,
    enum_name: Cell<&'static str>,
    lists: RefCell<SmallVec<[List; 2]>>,
}

impl Trace {
    /// For values whose type has this version, in the codec of this name, where it is none of larder's. If a fingerprint
    /// is `expected`, the first request that does not fit it is the last.
    pub(super) fn new(schema: Option<u32>, codec: Option<&str>, expected: Option<Fingerprint>) -> Self {
        let seed = mix(0, schema.map_or(0, |version| u64::from(version) + 1));
        let seed = codec.map_or(seed, |name| mix(seed, text(name)));
        Self {
            state: Cell::new(seed),
            begun: Cell::new(false),
            root: Cell::new(0),
            expected: expected.map(Fingerprint::root),
            buffered: Cell::new(false),
            last: Cell::new(AskedType::Ignored),
            last_fields: Cell::new(AskedFields { of: "", names: &[] }),
            enum_name: Cell::new(""),
            lists: RefCell::default(),
        }
    }

    /// Whether the trace does not show all that was read.
    pub(super) fn is_buffered(&self) -> bool {
        self.buffered.get()
    }

    /// The lists of fields that were asked for, each once.
    pub(super) fn fields(&self) -> Vec<AskedFields> {
        let lists = self.lists.borrow();
        lists
            .iter()
            .filter(|list| list.is_fields)
            .map(|list| AskedFields { of: list.of, names: list.names })
            .collect()
    }

    /// Whether the last request was for a struct with these fields.
    pub(super) fn has_just_asked_for(&self, fields: AskedFields) -> bool {
        let last = self.last_fields.get();
        matches!(self.last.get(), AskedType::Struct | AskedType::StructVariant)
            && std::ptr::eq(last.names, fields.names)
            && last.of == fields.of
    }

    /// The fingerprint, with the digest of the value where the trace is not enough.
    pub(super) fn fingerprint(&self, digest: Option<u64>) -> Fingerprint {
        let state = self.state.get();
        Fingerprint::new(self.root.get(), digest.map_or(state, |digest| mix(state, digest)))
    }

    /// Notes a request. False if the reader can stop here.
    #[inline]
    pub(super) fn ask(&self, request: AskedType) -> bool {
        self.note(request, request as u64)
    }

    /// The same, with a number of parts.
    #[inline]
    pub(super) fn ask_sized(&self, request: AskedType, name: &'static str, length: usize) -> bool {
        let named = if name.is_empty() { 0 } else { text(name) };
        self.note(request, mix(mix(request as u64, named), length as u64))
    }

    /// The same, with a name.
    #[inline]
    pub(super) fn ask_named(&self, request: AskedType, name: &'static str) -> bool {
        self.note(request, mix(request as u64, text(name)))
    }

    /// The same, with the fields of a struct.
    pub(super) fn ask_struct(&self, name: &'static str, names: &'static [&'static str]) -> bool {
        let fields = self.hash_of(name, names, true);
        self.last_fields.set(AskedFields { of: name, names });
        self.note(AskedType::Struct, mix(mix(AskedType::Struct as u64, text(name)), fields))
    }

    /// The same, with the variants of an enum.
    pub(super) fn ask_enum(&self, name: &'static str, variants: &'static [&'static str]) -> bool {
        self.enum_name.set(name);
        let variants = self.hash_of(name, variants, false);
        self.note(AskedType::Enum, mix(mix(AskedType::Enum as u64, text(name)), variants))
    }

    /// The same, with the fields of a variant of the last enum.
    pub(super) fn ask_struct_variant(&self, names: &'static [&'static str]) -> bool {
        let of = self.enum_name.get();
        let fields = self.hash_of(of, names, true);
        self.last_fields.set(AskedFields { of, names });
        self.note(AskedType::StructVariant, mix(AskedType::StructVariant as u64, fields))
    }

    #[inline]
    fn note(&self, request: AskedType, hash: u64) -> bool {
        match (request, self.last.replace(request)) {
            // A map whose keys are identifiers is a struct with a `flatten`.
            (AskedType::Any, _) | (AskedType::Identifier, AskedType::Map) => self.buffered.set(true),
            _ => {}
        }
        let state = mix(self.state.get(), hash);
        self.state.set(state);
        self.begun.get() || self.begin(state)
    }

    #[cold]
    fn begin(&self, state: u64) -> bool {
        self.begun.set(true);
        let root = (state >> 48) as u16;
        self.root.set(root);
        self.expected.is_none_or(|expected| expected == root)
    }

    /// The hash of a list of names: found once for each list, however many values have it.
    fn hash_of(&self, of: &'static str, list: &'static [&'static str], is_fields: bool) -> u64 {
        let mut known = self.lists.borrow_mut();
        // Equal lists of two types can be one in the program.
        let same =
            |known: &&List| std::ptr::eq(known.names, list) && known.is_fields == is_fields && known.of == of;
        if let Some(known) = known.iter().find(same) {
            return known.hash;
        }
        let hash = names_of_type(list);
        known.push(List { of, names: list, hash, is_fields });
        hash
    }
}
