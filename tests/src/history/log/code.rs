//! Records as bytes.

use super::record::{Change, Drained, Heard, Node, Outcome, Read, Record, Settled, Tally, Write};
use crate::history::clock::Moment;
use crate::history::value::ValueId;

/// The fields of a record on their way out. Moments of the same record are near each other, and near its first.
struct Fields(Vec<u64>, Moment);

/// The fields of a record on their way in.
struct Given<'a>(std::slice::Iter<'a, u64>, Moment);

impl Fields {
    fn number(mut self, number: u64) -> Self {
        self.0.push(number);
        self
    }

    fn index(self, index: usize) -> Self {
        self.number(index as u64)
    }

    fn flag(self, flag: bool) -> Self {
        self.number(flag.into())
    }

    fn option(self, number: Option<u64>) -> Self {
        self.number(number.map_or(0, |number| number + 1))
    }

    /// As its distance from the start of the log, before or after it: what is near is short.
    fn moment(self, moment: Moment) -> Self {
        let distance = moment.wrapping_sub(self.1).cast_signed();
        self.number(((distance << 1) ^ (distance >> 63)).cast_unsigned())
    }

    fn moment_if_any(self, moment: Option<Moment>) -> Self {
        match moment {
            Some(moment) => self.flag(true).moment(moment),
            None => self.flag(false),
        }
    }
}

impl Given<'_> {
    fn number(&mut self) -> Option<u64> {
        self.0.next().copied()
    }

    fn index(&mut self) -> Option<usize> {
        self.number()?.try_into().ok()
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.number()? != 0)
    }

    fn option(&mut self) -> Option<Option<u64>> {
        Some(self.number()?.checked_sub(1))
    }

    fn moment(&mut self) -> Option<Moment> {
        let number = self.number()?;
        let distance = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        Some(self.1.wrapping_add(distance.cast_unsigned()))
    }

    fn moment_if_any(&mut self) -> Option<Option<Moment>> {
        if self.flag()? { self.moment().map(Some) } else { Some(None) }
    }
}

impl Record {
    pub(super) fn encode(&self, start: Moment, bytes: &mut Vec<u8>) {
        let fields = Fields(Vec::with_capacity(16), start);
        let (kind, fields) = match self {
            Self::Value(node) => (1, value(node, fields)),
            Self::Read(read) => (2, self::read(read, fields)),
            Self::Change(change) => (3, self::change(change, fields)),
            Self::Write(Write { begin, end, key, version }) => {
                (4, fields.moment(*begin).moment(*end).index(*key).number(*version))
            }
            Self::Drained(Drained { begin, end, in_touch }) => {
                (5, fields.moment(*begin).moment(*end).moment(*in_touch))
            }
            Self::Heard(Heard { at, epoch }) => (6, fields.moment(*at).number(*epoch)),
            Self::Settled(Settled { key, took, current, value }) => {
                (7, fields.index(*key).number(*took).flag(*current).option(value.map(|id| id.0)))
            }
            Self::Tally(tally) => {
                let fields = fields.number(tally.reads).number(tally.nothing).number(tally.failures);
                let fields = fields.number(tally.cancelled).number(tally.computed).number(tally.hung);
                let fields = fields.number(tally.memory_at_first).number(tally.memory);
                (8, fields.number(tally.kept).number(tally.from_disk).number(tally.in_transactions))
            }
        };
        push(bytes, kind);
        push(bytes, fields.0.len() as u64);
        fields.0.into_iter().for_each(|field| push(bytes, field));
    }

    /// The first record of `bytes`, which is taken off; none if it is none.
    pub(super) fn decode(start: Moment, bytes: &mut &[u8]) -> Option<Self> {
        let kind = pop(bytes)?;
        let count = usize::try_from(pop(bytes)?).ok().filter(|count| *count <= bytes.len())?;
        let fields: Vec<u64> = (0..count).map(|_| pop(bytes)).collect::<Option<_>>()?;
        let mut given = Given(fields.iter(), start);
        let given = &mut given;
        let record = match kind {
            1 => Self::Value(value_of(given)?),
            2 => Self::Read(read_of(given)?),
            3 => Self::Change(change_of(given)?),
            4 => Self::Write(Write {
                begin: given.moment()?,
                end: given.moment()?,
                key: given.index()?,
                version: given.number()?,
            }),
            5 => Self::Drained(Drained {
                begin: given.moment()?,
                end: given.moment()?,
                in_touch: given.moment()?,
            }),
            6 => Self::Heard(Heard { at: given.moment()?, epoch: given.number()? }),
            7 => Self::Settled(Settled {
                key: given.index()?,
                took: given.number()?,
                current: given.flag()?,
                value: given.option()?.map(ValueId),
            }),
            8 => Self::Tally(Tally {
                reads: given.number()?,
                nothing: given.number()?,
                failures: given.number()?,
                cancelled: given.number()?,
                computed: given.number()?,
                hung: given.number()?,
                memory_at_first: given.number()?,
                memory: given.number()?,
                kept: given.number()?,
                from_disk: given.number()?,
                in_transactions: given.number()?,
            }),
            _ => return None,
        };
        given.0.next().is_none().then_some(record)
    }
}

fn value(node: &Node, fields: Fields) -> Fields {
    let fields = fields.number(node.id.0).index(node.key).moment(node.began);
    let fields = fields.option(node.version).flag(node.inserted).index(node.parts.len());
    node.parts.iter().fold(fields, |fields, (key, id)| fields.index(*key).option(id.map(|id| id.0)))
}

fn value_of(given: &mut Given<'_>) -> Option<Node> {
    let (id, key, began) = (ValueId(given.number()?), given.index()?, given.moment()?);
    let (version, inserted, count) = (given.option()?, given.flag()?, given.index()?);
    let part = |_| Some((given.index()?, given.option()?.map(ValueId)));
    let parts = (0..count).map(part).collect::<Option<_>>()?;
    Some(Node { id, key, began, version, inserted, parts })
}

fn read(read: &Read, fields: Fields) -> Fields {
    let fields = fields.moment(read.begin).moment(read.end).index(read.key).number(read.value.0);
    let fields = fields.moment_if_any(read.in_touch_before).moment_if_any(read.in_touch_after);
    fields.number(read.position)
}

fn read_of(given: &mut Given<'_>) -> Option<Read> {
    Some(Read {
        begin: given.moment()?,
        end: given.moment()?,
        key: given.index()?,
        value: ValueId(given.number()?),
        in_touch_before: given.moment_if_any()?,
        in_touch_after: given.moment_if_any()?,
        position: given.number()?,
    })
}

fn change(change: &Change, fields: Fields) -> Fields {
    let fields = fields.moment(change.called).moment(change.returned).moment_if_any(change.resolved);
    let fields = match change.outcome {
        Outcome::Unknown => fields.number(0),
        Outcome::Queued => fields.number(1),
        Outcome::Delivered(epoch) => fields.number(2).number(epoch),
    };
    let fields = fields.option(change.makes.map(|id| id.0)).index(change.scopes.len());
    change.scopes.iter().fold(fields, |fields, scope| fields.index(*scope))
}

fn change_of(given: &mut Given<'_>) -> Option<Change> {
    let (called, returned, resolved) = (given.moment()?, given.moment()?, given.moment_if_any()?);
    let outcome = match given.number()? {
        0 => Outcome::Unknown,
        1 => Outcome::Queued,
        2 => Outcome::Delivered(given.number()?),
        _ => return None,
    };
    let (makes, count) = (given.option()?.map(ValueId), given.index()?);
    let scopes = (0..count).map(|_| given.index()).collect::<Option<_>>()?;
    Some(Change { called, returned, resolved, outcome, makes, scopes })
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn pop(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(first & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        number |= part << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
