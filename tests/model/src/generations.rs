//! A model of generations, by which `larder-memcached` keeps the rule without a log: one scope, its generation and one entry under it, in all orders of what processes and nodes do: computing,
//! beginning generations, invalidating, reading, and losing things. No read that is accepted is older than what was delivered, or
//! called in its own process, when it began. Each detail is left out once, and found.
//!
//! Requests that are late are in it: each step that is taken at a node is one of its own, whenever it comes.

mod configurations;
mod insert;
mod mutant;

use std::collections::HashSet;

use foldhash::fast::RandomState;

pub use self::{
    configurations::{CONFIGURATIONS, DEEPER, Left},
    mutant::Mutant,
};

/// A number of the counter: its incarnation, and what was counted.
type Number = (u8, u8);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Generation {
    /// None while it begins.
    number: Option<Number>,
    /// Which insert's mark it is, while it begins; zero is what all others leave.
    mark: u8,
    cas: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Computer {
    Idle,
    Began(Number),
    HasValue(Number, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Beginner {
    Idle,
    /// By the mutant that counts first.
    Counted(Number),
    Read {
        found: Generation,
        life: u8,
    },
    Has {
        found: Generation,
        life: u8,
        number: Number,
    },
}

/// An insert by another process than the one that reads. It counts from the moment that it has reached the node: by its mark,
/// where the scope is its own key, and by what it found, where it is a prefix, a tag or everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Inserter {
    Idle,
    /// Its key's generation is its mark, of this attempt.
    Marked {
        version: u8,
        mark: u8,
    },
    /// The counter was moved before the mark was read.
    MarkCounted {
        version: u8,
        mark: u8,
        number: Number,
    },
    /// The mark was read, with its `cas`; or what is there of another scope.
    Found {
        version: u8,
        found: Generation,
        life: u8,
    },
    Counted {
        version: u8,
        found: Generation,
        life: u8,
        number: Number,
    },
    /// Nothing has happened to its generation since it was marked or found, and until the counter was this.
    Proved(Number, u8),
    /// By the mutant that inserts as a miss computes.
    Removed(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Invalidator {
    Idle,
    Wrote(u8),
    Called(u8),
    /// Its own process has it in the outbox still. The mutant has counted by then.
    Delivered(Option<Number>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reader {
    Idle,
    Reads { floor: u8, generation: Option<Option<Number>>, entry: Option<Option<(Number, u8)>> },
}

/// All that there is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    /// The version at the source.
    source: u8,
    /// The last version whose invalidation was delivered, and called in the reader's process.
    delivered: u8,
    called: u8,
    counter: Option<Number>,
    incarnations: u8,
    generation: Option<Generation>,
    cas: u8,
    /// How often the node of the generation was restarted.
    life: u8,
    entry: Option<(Number, u8)>,
    computer: Computer,
    beginners: [Beginner; 2],
    inserter: Inserter,
    /// The last mark, and one that was sent before and has not arrived.
    marks: u8,
    late_mark: Option<u8>,
    /// One in the reader's process, and one in another.
    invalidators: [Invalidator; 2],
    reader: Reader,
    outbox: bool,
    slot: Number,
    /// The incarnations that the reader's process has seen, one bit each.
    known: u8,
    left: Left,
}

impl State {
    fn new(left: Left) -> Self {
        Self {
            source: 1,
            delivered: 0,
            called: 0,
            counter: None,
            incarnations: 0,
            generation: None,
            cas: 0,
            life: 0,
            entry: None,
            computer: Computer::Idle,
            beginners: [Beginner::Idle; 2],
            inserter: Inserter::Idle,
            marks: 0,
            late_mark: None,
            invalidators: [Invalidator::Idle; 2],
            reader: Reader::Idle,
            outbox: false,
            slot: (0, 0),
            known: 0,
            left,
        }
    }

    /// What the counter is; it is made if it is not there.
    fn look(&mut self) -> Number {
        *self.counter.get_or_insert_with(|| {
            self.incarnations += 1;
            (self.incarnations, 1)
        })
    }

    fn count(&mut self) -> Number {
        if let Some((_, counted)) = &mut self.counter {
            *counted += 1;
        }
        self.look()
    }

    fn put(&mut self, number: Option<Number>) -> Generation {
        self.put_mark(number, 0)
    }

    fn put_mark(&mut self, number: Option<Number>, mark: u8) -> Generation {
        self.cas += 1;
        *self.generation.insert(Generation { number, mark, cas: self.cas })
    }

    /// What is there, if it is this mark of an insert.
    fn mark_found(&self, mark: u8, mutant: Option<Mutant>) -> Option<Generation> {
        let any = mutant == Some(Mutant::AnyMarkTaken);
        self.generation.filter(|found| found.number.is_none() && (found.mark == mark || any))
    }

    fn knows(&mut self, (incarnation, _): Number) {
        self.known |= 1 << incarnation;
    }
}

/// The search, and what it has found.
#[derive(Debug)]
pub struct Search {
    mutant: Option<Mutant>,
    seen: HashSet<State, RandomState>,
    open: Vec<State>,
    /// How many reads were accepted.
    pub accepted: u64,
    /// The first state in which a stale read is accepted.
    pub stale: Option<State>,
}

impl Search {
    /// Searches to the end, or to the first stale read.
    #[must_use]
    pub fn run(mutant: Option<Mutant>, left: Left) -> Self {
        let (seen, open) = (HashSet::default(), vec![State::new(left)]);
        let mut search = Self { mutant, seen, open, accepted: 0, stale: None };
        while let Some(state) = search.open.pop() {
            search.compute(state);
            (0..2).for_each(|which| search.begin(state, which));
            search.insert(state);
            (0..2).for_each(|which| search.invalidate(state, which));
            search.read(state);
            search.lose(state);
            if search.stale.is_some() {
                break;
            }
        }
        search
    }

    /// How many states there are.
    #[must_use]
    pub fn states(&self) -> usize {
        self.seen.len()
    }

    fn to(&mut self, mut state: State, change: impl FnOnce(&mut State)) {
        change(&mut state);
        if self.seen.insert(state) {
            self.open.push(state);
        }
    }

    fn compute(&mut self, state: State) {
        let late = self.mutant == Some(Mutant::StampedAtWrite);
        match state.computer {
            Computer::Idle if state.left.computations > 0 => self.to(state, |next| {
                next.left.computations -= 1;
                next.computer = Computer::Began(next.look());
            }),
            Computer::Idle => {}
            Computer::Began(number) => {
                self.to(state, |next| next.computer = Computer::HasValue(number, next.source));
            }
            Computer::HasValue(number, version) => self.to(state, |next| {
                let number = if late { next.look() } else { number };
                next.entry = Some((number, version));
                next.computer = Computer::Idle;
            }),
        }
    }

    fn begin(&mut self, state: State, which: usize) {
        let mutant = self.mutant;
        match state.beginners[which] {
            Beginner::Idle if state.left.beginnings == 0 => {}
            Beginner::Idle if mutant == Some(Mutant::CountedFirst) => self.to(state, |next| {
                next.left.beginnings -= 1;
                next.beginners[which] = Beginner::Counted(next.count());
            }),
            Beginner::Idle => self.to(state, |next| {
                next.left.beginnings -= 1;
                let found = next.generation.unwrap_or_else(|| next.put(None));
                next.beginners[which] = Beginner::Read { found, life: next.life };
            }),
            Beginner::Counted(number) => self.to(state, |next| {
                let found = next.generation.unwrap_or_else(|| next.put(None));
                next.beginners[which] = Beginner::Has { found, life: next.life, number };
            }),
            Beginner::Read { found, life } => self.to(state, |next| {
                next.beginners[which] = Beginner::Has { found, life, number: next.count() };
            }),
            Beginner::Has { found, life, number } => self.to(state, |next| {
                let begun = found.number.is_some_and(|(incarnation, _)| incarnation == number.0);
                let is_same_server = life == next.life || mutant == Some(Mutant::CasOfAnotherConnection);
                let unchanged = is_same_server && next.generation.is_some_and(|now| now.cas == found.cas);
                if !begun && (unchanged || mutant == Some(Mutant::NoCas)) {
                    next.put(Some(number));
                }
                next.beginners[which] = Beginner::Idle;
            }),
        }
    }

    fn invalidate(&mut self, state: State, which: usize) {
        let (own, early) = (which == 0, self.mutant == Some(Mutant::SettledByEarlierNumber));
        match state.invalidators[which] {
            Invalidator::Idle if state.left.invalidations[which] == 0 => {}
            Invalidator::Idle => self.to(state, |next| {
                next.left.invalidations[which] -= 1;
                next.source += 1;
                next.invalidators[which] = Invalidator::Wrote(next.source);
            }),
            Invalidator::Wrote(version) => self.to(state, |next| {
                if own {
                    (next.called, next.outbox) = (next.called.max(version), true);
                }
                next.invalidators[which] = Invalidator::Called(version);
            }),
            Invalidator::Called(version) => self.to(state, |next| {
                let number = (own && early).then(|| next.look());
                next.generation = None;
                next.delivered = next.delivered.max(version);
                next.invalidators[which] =
                    if own { Invalidator::Delivered(number) } else { Invalidator::Idle };
            }),
            Invalidator::Delivered(number) => self.to(state, |next| {
                let number = number.unwrap_or_else(|| next.count());
                next.knows(number);
                (next.slot, next.outbox) = (next.slot.max(number), false);
                next.invalidators[which] = Invalidator::Idle;
            }),
        }
    }

    fn read(&mut self, state: State) {
        // At any time, between what it reads too.
        if let Some(number) = state.counter {
            self.to(state, |next| next.knows(number));
        }
        match state.reader {
            Reader::Idle => {
                self.to(state, |next| {
                    let floor = next.delivered.max(next.called);
                    next.reader = Reader::Reads { floor, generation: None, entry: None };
                });
            }
            // In either order: they may be on two nodes.
            Reader::Reads { floor, generation, entry } => {
                if generation.is_none() {
                    self.to(state, |next| {
                        let generation = Some(next.generation.and_then(|generation| generation.number));
                        next.reader = Reader::Reads { floor, generation, entry };
                    });
                }
                if entry.is_none() {
                    self.to(state, |next| {
                        next.reader = Reader::Reads { floor, generation, entry: Some(next.entry) };
                    });
                }
                if let (Some(generation), Some(entry)) = (generation, entry) {
                    self.judge(state, floor, generation, entry);
                }
            }
        }
    }

    fn judge(&mut self, state: State, floor: u8, generation: Option<Number>, entry: Option<(Number, u8)>) {
        if let (Some(generation), Some((number, version))) = (generation, entry) {
            let any = self.mutant == Some(Mutant::IncarnationsIgnored);
            let covers = (generation.0 == number.0 || any) && generation.1 <= number.1;
            let is_known = state.known >> number.0 & 1 == 1;
            let taken = !is_known && self.mutant == Some(Mutant::UnknownIncarnationTaken);
            let by_outbox = !state.outbox || self.mutant == Some(Mutant::NoOutbox);
            let by_slot = number >= state.slot || taken || self.mutant == Some(Mutant::NoSlots);
            if covers && (is_known || taken) && by_outbox && by_slot {
                self.accepted += 1;
                if version < floor {
                    self.stale = Some(state);
                }
            }
        }
        self.to(state, |next| next.reader = Reader::Idle);
    }

    fn lose(&mut self, mut state: State) {
        if state.left.faults == 0 {
            return;
        }
        state.left.faults -= 1;
        self.to(state, |next| next.generation = None);
        self.to(state, |next| next.counter = None);
        self.to(state, |next| next.entry = None);
        self.to(state, |next| {
            (next.generation, next.cas) = (None, 0);
            next.life += 1;
        });
    }
}
