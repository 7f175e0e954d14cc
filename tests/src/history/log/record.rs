//! What a log is made of.

use crate::history::clock::Moment;
use crate::history::value::{Made, ValueId};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A value, when it was first met.
    Value(Node),
    /// A read that gave a value.
    Read(Read),
    /// An invalidation.
    Change(Change),
    /// A write to the source.
    Write(Write),
    /// Everything that this process had invalidated was in the log.
    Drained(Drained),
    /// This process was told that it had heard of everything up to an epoch.
    Heard(Heard),
    /// How a key was found after all was over.
    Settled(Settled),
    /// What was counted.
    Tally(Tally),
}

/// A [`Made`], with its parts by number.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// See [`Made::id`].
    pub id: ValueId,
    /// See [`Made::key`].
    pub key: usize,
    /// See [`Made::began`].
    pub began: Moment,
    /// See [`Made::version`].
    pub version: Option<u64>,
    /// See [`Made::inserted`].
    pub inserted: bool,
    /// Keys that were read for it, and the values that were there.
    pub parts: Vec<(usize, Option<ValueId>)>,
}

impl Node {
    /// Of a value.
    #[must_use]
    pub fn of(made: &Made) -> Self {
        let Made { id, key, began, version, inserted, .. } = *made;
        let part = |part: &crate::history::value::Part| (part.key, part.found.as_ref().map(|found| found.id));
        Self { id, key, began, version, inserted, parts: made.parts.iter().map(part).collect() }
    }
}

/// A read that gave a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Before it was begun.
    pub begin: Moment,
    /// After it had its value.
    pub end: Moment,
    /// The number of the key that was asked for.
    pub key: usize,
    /// What it gave.
    pub value: ValueId,
    /// What the process reported before `begin`, as the moment until when it was in touch; none where there is
    /// nothing to be in touch with.
    pub in_touch_before: Option<Moment>,
    /// The same, reported after `end`.
    pub in_touch_after: Option<Moment>,
    /// The epoch up to which the process said, before `begin`, that it had heard of everything; zero for
    /// nothing.
    pub position: u64,
}

/// An invalidation; that of an insert is one too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Before the call.
    pub called: Moment,
    /// After it.
    pub returned: Moment,
    /// When its future was ready, if it was awaited.
    pub resolved: Option<Moment>,
    /// What that said.
    pub outcome: Outcome,
    /// The value that this change has put in, which it does not cover.
    pub makes: Option<ValueId>,
    /// The numbers of what it covers.
    pub scopes: Vec<usize>,
}

/// What an invalidation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// No caller waited for the acknowledgement.
    Unknown,
    /// It waits to be told to others.
    Queued,
    /// It is in the log; at this epoch, zero where there is none.
    Delivered(u64),
}

/// A write to the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// Before it.
    pub begin: Moment,
    /// After it.
    pub end: Moment,
    /// The number of the key.
    pub key: usize,
    /// The version from then on.
    pub version: u64,
}

/// A moment at which nothing waited to be told to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Before the process was asked.
    pub begin: Moment,
    /// After it.
    pub end: Moment,
    /// Until when it said that it was in touch, before it was asked whether anything waits.
    pub in_touch: Moment,
}

/// A moment after which everything up to an epoch was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// After it was said.
    pub at: Moment,
    /// The epoch.
    pub epoch: u64,
}

/// How a key was found after all was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The number of the key.
    pub key: usize,
    /// How long it took until it was current, or how long that was waited for in vain.
    pub took: u64,
    /// Whether it was current in the end.
    pub current: bool,
    /// What was read last, if anything.
    pub value: Option<ValueId>,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Reads that gave a value.
    pub reads: u64,
    /// Reads that found nothing.
    pub nothing: u64,
    /// Computations that failed on purpose, and nothing could be served instead.
    pub failures: u64,
    /// Reads that were given up on purpose.
    pub cancelled: u64,
    /// Computations of values.
    pub computed: u64,
    /// Tasks that did not end when they were told to.
    pub hung: u64,
    /// What the process took at most in its first seconds, in bytes, without what it took down.
    pub memory_at_first: u64,
    /// The same, afterwards.
    pub memory: u64,
    /// Old values that computations kept.
    pub kept: u64,
    /// Entries that were found on disk.
    pub from_disk: u64,
    /// Reads inside of transactions, of what these had changed.
    pub in_transactions: u64,
}
