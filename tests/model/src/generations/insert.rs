//! Inserts by another process than the one that reads.

use super::{Inserter, Mutant, Search, State};

impl Search {
    pub(super) fn insert(&mut self, state: State) {
        let mutant = self.mutant;
        if let Some(mark) = state.late_mark {
            self.to(state, |next| {
                next.late_mark = None;
                next.put_mark(None, mark);
            });
        }
        match state.inserter {
            Inserter::Idle => self.begin_insert(state),
            // In either order: they are on their way at the same time.
            Inserter::Marked { version, mark } => {
                self.to(state, |next| {
                    next.inserter = match next.mark_found(mark, mutant) {
                        Some(found) => Inserter::Found { version, found, life: next.life },
                        None => Inserter::Idle,
                    };
                });
                self.to(state, |next| {
                    next.inserter = Inserter::MarkCounted { version, mark, number: next.count() };
                });
            }
            Inserter::MarkCounted { version, mark, number } => self.to(state, |next| {
                next.inserter = match next.mark_found(mark, mutant) {
                    Some(found) => Inserter::Counted { version, found, life: next.life, number },
                    None => Inserter::Idle,
                };
            }),
            Inserter::Found { version, found, life } => self.to(state, |next| {
                next.inserter = Inserter::Counted { version, found, life, number: next.count() };
            }),
            Inserter::Counted { version, found, life, number } => self.to(state, |next| {
                let unchanged = life == next.life && next.generation.is_some_and(|now| now.cas == found.cas);
                let is_begun = found.number.is_some_and(|(incarnation, _)| incarnation == number.0);
                let holds = match is_begun {
                    true => {
                        next.generation.is_some_and(|now| now.number == found.number)
                            || mutant == Some(Mutant::NotReadAgain)
                    }
                    false => unchanged,
                };
                if holds && !is_begun {
                    next.put(Some(number));
                }
                next.inserter = if holds { Inserter::Proved(number, version) } else { Inserter::Idle };
            }),
            Inserter::Proved(number, version) => self.to(state, |next| {
                next.entry = Some((number, version));
                next.inserter = Inserter::Idle;
            }),
            Inserter::Removed(version) => self.to(state, |next| {
                next.inserter = Inserter::Proved(next.count(), version);
            }),
        }
    }

    fn begin_insert(&mut self, state: State) {
        if state.left.wide_inserts > 0 {
            self.to(state, |next| {
                next.left.wide_inserts -= 1;
                let found = next.generation.unwrap_or_else(|| next.put(None));
                next.inserter = Inserter::Found { version: next.source, found, life: next.life };
            });
        }
        if state.left.inserts == 0 {
            return;
        }
        let mut next = state;
        next.left.inserts -= 1;
        if self.mutant == Some(Mutant::InsertedAsComputed) {
            return self.to(next, |next| {
                next.generation = None;
                next.inserter = Inserter::Removed(next.source);
            });
        }
        // At the first attempt, or at the second one, whose first one may arrive at any time.
        let one_mark = self.mutant == Some(Mutant::OneMarkForAllAttempts);
        for attempts in 1..=2 {
            self.to(next, |next| {
                let first = next.marks + 1;
                let mark = if one_mark { first } else { first + attempts - 1 };
                next.late_mark = (attempts == 2).then_some(first);
                next.marks += attempts;
                next.put_mark(None, mark);
                next.inserter = Inserter::Marked { version: next.source, mark };
            });
        }
    }
}
