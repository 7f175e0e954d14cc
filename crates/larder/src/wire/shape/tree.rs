//! What a type asked for, and where.

use std::collections::BTreeSet;

use super::fault::Names;

pub(super) type Id = usize;

/// More requests than this are not told apart: the type is then known by what was seen, and its name.
const MOST_NODES: usize = 1 << 14;

/// Where in its parent a request was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Inside,
    At(usize),
    Named(&'static str),
    Key,
    Value,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Root,
    Scalar(&'static str),
    /// A name out of a list that the type did not show.
    Identifier,
    /// Whatever there is.
    Any,
    Option,
    Seq,
    Map,
    Tuple(usize),
    Unit(&'static str),
    Newtype(&'static str),
    TupleStruct(&'static str, usize),
    Struct(&'static str, Names),
    Enum(&'static str, Names),
    UnitVariant,
    NewtypeVariant,
    TupleVariant(usize),
    StructVariant(Names),
    /// A type that was met before: there.
    Met(Id),
}

/// What it means if a node has an answer to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Each answer is a part of the shape, and has to be given once.
    Each,
    /// The same, but some answers are expected to be refused.
    Probe,
    /// Any answer that is accepted will do.
    First,
    /// The same, but one that is not the first hides something.
    Evasion,
}

#[derive(Debug)]
pub(super) struct Node {
    label: Label,
    kind: Kind,
    children: Vec<Id>,
    /// Names that the type was found to know.
    learned: Vec<&'static str>,
    /// Whether names have to be learned here at all.
    pub(super) learns: bool,
    /// Fields that are not offered: none of what was tried was accepted for them.
    skipped: Vec<usize>,
    notes: BTreeSet<String>,
    pub(super) answer: usize,
    pub(super) answers: usize,
    /// An answer with which a walk came to its end.
    accepted: Option<usize>,
    /// Whether the present answer is one.
    accepted_now: bool,
    exhausted: bool,
    pub(super) choice: Choice,
}

#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Types that have a name, where they were first met.
    types: Vec<(&'static str, Id)>,
    pub(super) whole: bool,
    pub(super) within_budget: bool,
}

pub(super) const ROOT: Id = 0;

impl Tree {
    pub(super) fn new() -> Self {
        let mut tree = Self { nodes: Vec::new(), types: Vec::new(), whole: true, within_budget: true };
        tree.add(Label::Inside, Kind::Root);
        tree
    }

    pub(super) fn node(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id]
    }

    pub(super) fn learned(&self, id: Id) -> &[&'static str] {
        &self.nodes[id].learned
    }

    pub(super) fn is_skipped(&self, id: Id, field: usize) -> bool {
        self.nodes[id].skipped.contains(&field)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole && self.within_budget
    }

    fn add(&mut self, label: Label, kind: Kind) -> Id {
        self.nodes.push(Node {
            label,
            kind,
            children: Vec::new(),
            learned: Vec::new(),
            learns: false,
            skipped: Vec::new(),
            notes: BTreeSet::new(),
            answer: 0,
            answers: 1,
            accepted: None,
            accepted_now: false,
            exhausted: false,
            choice: Choice::First,
        });
        self.nodes.len() - 1
    }

    fn find(&self, parent: Id, label: Label, kind: Kind) -> Option<Id> {
        let is_it = |&&id: &&Id| self.nodes[id].label == label && self.nodes[id].kind == kind;
        self.nodes[parent].children.iter().find(is_it).copied()
    }

    /// The node of a request; none if there are too many.
    pub(super) fn child(&mut self, parent: Id, label: Label, kind: Kind) -> Option<Id> {
        if let Some(known) = self.find(parent, label, kind) {
            return Some(known);
        }
        if self.nodes.len() >= MOST_NODES {
            return None;
        }
        let id = self.add(label, kind);
        self.nodes[parent].children.push(id);
        Some(id)
    }

    /// The node of a request by a type with a name, and whether the type was met elsewhere before. The
    /// name is of use within this process only, to know a type again.
    pub(super) fn named(
        &mut self,
        parent: Id,
        label: Label,
        kind: Kind,
        name: &'static str,
    ) -> Option<(Id, bool)> {
        if let Some(known) = self.find(parent, label, kind) {
            return Some((known, false));
        }
        let met = self.types.iter().find(|(other, id)| *other == name && self.nodes[*id].kind == kind);
        if let Some(&(_, id)) = met {
            self.child(parent, label, Kind::Met(id))?;
            return Some((id, true));
        }
        let id = self.child(parent, label, kind)?;
        self.types.push((name, id));
        Some((id, false))
    }

    /// Adds names to those that are known here. Whether there was a new one.
    pub(super) fn learn(&mut self, id: Id, names: &[&'static str]) -> bool {
        let learned = &mut self.nodes[id].learned;
        let before = learned.len();
        for name in names {
            if !learned.contains(name) {
                learned.push(name);
            }
        }
        learned.len() > before
    }

    pub(super) fn skip(&mut self, id: Id, field: usize) {
        self.nodes[id].skipped.push(field);
    }

    pub(super) fn note(&mut self, id: Id, text: String) {
        self.nodes[id].notes.insert(text);
    }
}

impl Choice {
    /// Whether all answers are given, also after one was accepted.
    pub(super) fn is_explored(self) -> bool {
        matches!(self, Self::Each | Self::Probe)
    }

    /// Whether something remains unseen when an answer is refused.
    pub(super) fn hides(self) -> bool {
        matches!(self, Self::Each | Self::Evasion)
    }
}

impl Node {
    /// Whether the answer that it gives now was given in a walk that came to its end.
    pub(super) fn is_accepted(&self) -> bool {
        self.accepted_now
    }

    pub(super) fn has_more(&self) -> bool {
        let settled = self.accepted.is_some() && !self.choice.is_explored();
        !settled && !self.exhausted && self.answers > 1
    }

    /// Goes on to the next answer; after the last one, back to one that was accepted. Whether there was
    /// one or the other.
    pub(super) fn advance(&mut self) -> bool {
        let refused = !self.accepted_now;
        self.accepted_now = false;
        if self.answer + 1 < self.answers {
            self.answer += 1;
            return true;
        }
        self.exhausted = true;
        self.answer = self.accepted.unwrap_or(0);
        refused && self.accepted.is_some()
    }

    /// Begins again with the first answer.
    pub(super) fn forget(&mut self) {
        (self.answer, self.accepted, self.accepted_now, self.exhausted) = (0, None, false, false);
    }

    pub(super) fn accept(&mut self) {
        self.accepted_now = true;
        self.accepted.get_or_insert(self.answer);
    }
}

impl Tree {
    /// All of it as bytes, the same for the same shape on every platform.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.describe_node(ROOT, &mut bytes);
        bytes
    }

    fn describe_node(&self, id: Id, bytes: &mut Vec<u8>) {
        let node = &self.nodes[id];
        node.label.describe(bytes);
        node.kind.describe(bytes);
        for note in &node.notes {
            text(bytes, note);
        }
        for &child in &node.children {
            self.describe_node(child, bytes);
        }
        bytes.push(b'.');
    }

    /// Whether the type asks for whatever there is.
    pub(super) fn has_any(&self) -> bool {
        self.nodes.iter().any(|node| node.kind == Kind::Any)
    }

    pub(super) fn has_null_in_option(&self) -> bool {
        self.has_in_option(|kind| match kind {
            Kind::Option | Kind::Unit(_) => true,
            Kind::Scalar(name) => matches!(name, "unit" | "ignored"),
            _ => false,
        })
    }

    pub(super) fn has_float_in_option(&self) -> bool {
        self.has_in_option(|kind| matches!(kind, Kind::Scalar("f32" | "f64")))
    }

    fn has_in_option(&self, is_null: impl Fn(Kind) -> bool) -> bool {
        let options = self.nodes.iter().filter(|node| node.kind == Kind::Option);
        options.flat_map(|option| &option.children).any(|&inside| self.is_null(inside, &is_null, 0))
    }

    fn is_null(&self, id: Id, is_null: &impl Fn(Kind) -> bool, hops: usize) -> bool {
        match self.nodes[id].kind {
            // Not a cycle of nothing but newtypes, which no value could end.
            _ if hops > self.nodes.len() => true,
            Kind::Newtype(_) => {
                self.nodes[id].children.iter().any(|&inside| self.is_null(inside, is_null, hops + 1))
            }
            Kind::Met(id) => self.is_null(id, is_null, hops + 1),
            kind => is_null(kind),
        }
    }
}

impl Label {
    fn describe(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Inside => bytes.push(b'i'),
            Self::At(index) => numbered(bytes, b'a', index),
            Self::Named(name) => named(bytes, b'n', &[name]),
            Self::Key => bytes.push(b'k'),
            Self::Value => bytes.push(b'v'),
        }
    }
}

impl Kind {
    fn describe(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Root => bytes.push(b'R'),
            Self::Scalar(name) => named(bytes, b'C', &[name]),
            Self::Identifier => bytes.push(b'I'),
            Self::Any => bytes.push(b'A'),
            Self::Option => bytes.push(b'O'),
            Self::Seq => bytes.push(b'Q'),
            Self::Map => bytes.push(b'M'),
            Self::Tuple(length) => numbered(bytes, b'T', length),
            Self::Unit(name) => named(bytes, b'U', &[name]),
            Self::Newtype(name) => named(bytes, b'N', &[name]),
            Self::TupleStruct(name, length) => {
                named(bytes, b'P', &[name]);
                numbered(bytes, b'T', length);
            }
            Self::Struct(name, fields) => {
                named(bytes, b'S', &[name]);
                named(bytes, b'F', fields);
            }
            Self::Enum(name, variants) => {
                named(bytes, b'E', &[name]);
                named(bytes, b'V', variants);
            }
            Self::UnitVariant => bytes.push(b'u'),
            Self::NewtypeVariant => bytes.push(b'w'),
            Self::TupleVariant(length) => numbered(bytes, b't', length),
            Self::StructVariant(fields) => named(bytes, b's', fields),
            Self::Met(id) => numbered(bytes, b'=', id),
        }
    }
}

// Each list and each text with its length in front, so that none is ever taken for another.

fn numbered(bytes: &mut Vec<u8>, tag: u8, number: usize) {
    bytes.push(tag);
    bytes.extend_from_slice(&(number as u64).to_be_bytes());
}

fn named(bytes: &mut Vec<u8>, tag: u8, names: &[&str]) {
    numbered(bytes, tag, names.len());
    for name in names {
        text(bytes, name);
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    numbered(bytes, b'"', text.len());
    bytes.extend_from_slice(text.as_bytes());
}
