//! Against a reference that remembers everything.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    clock::Clock,
    epoch::{
        LocalOrder, Marked,
        shared::{OutboxBatch, SharedEpochs},
    },
};

const SCOPES: u64 = 4;

/// So many slots that nothing is forgotten.
const MANY: usize = 1 << 20;

#[derive(Debug, Clone)]
enum Step {
    /// Another process appends.
    Foreign(Vec<u64>),
    /// This process invalidates.
    Invalidate(u64),
    /// The sender appends what waits.
    Append,
    /// The append may have failed.
    Fail,
    /// The reader takes so many records.
    Follow(usize),
    /// The reader begins anew at the tip.
    Start,
    /// One record further back.
    Back,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        vec(0..=SCOPES, 0..3).prop_map(Step::Foreign),
        (0..=SCOPES).prop_map(Step::Invalidate),
        Just(Step::Append),
        Just(Step::Fail),
        (1..4_usize).prop_map(Step::Follow),
        Just(Step::Start),
        Just(Step::Back),
    ]
}

/// Two keys, two wider scopes, everything.
fn scope(number: u64) -> ScopeHash {
    match number {
        0 | 1 => ScopeHash::from_number(number),
        SCOPES => ScopeHash::ALL,
        _ => ScopeHash::from_number(1 << 63 | number),
    }
}

struct World {
    epochs: SharedEpochs,
    records: Vec<Record>,
    under_way: Option<OutboxBatch>,
    // The reference:
    /// Which records are known.
    known: Vec<bool>,
    inside: Vec<(ScopeHash, Option<u64>)>,
    left: Vec<ScopeHash>,
    position: u64,
    floor: u64,
    back: usize,
}

impl World {
    fn new() -> Self {
        Self {
            epochs: SharedEpochs::new(Arc::new(LocalOrder::new()), MANY),
            records: Vec::new(),
            under_way: None,
            known: Vec::new(),
            inside: Vec::new(),
            left: Vec::new(),
            position: 0,
            floor: u64::MAX,
            back: 0,
        }
    }

    fn log(&self) -> &LogOrder {
        &self.epochs.log
    }

    fn append(&mut self, own: Option<u64>, scopes: Vec<ScopeHash>) {
        let epoch = Epoch(10 * (self.records.len() as u64 + 1));
        self.records.push(Record { epoch, own, scopes });
        self.known.push(false);
    }

    /// What waits for everything is covered by it, and what covers everything needs no company.
    fn enter(&mut self, scope: ScopeHash) {
        if self.inside.contains(&(ScopeHash::ALL, None)) {
            return;
        }
        if scope == ScopeHash::ALL {
            self.inside.clear();
        }
        self.enter_again(scope);
    }

    fn enter_again(&mut self, scope: ScopeHash) {
        self.inside.retain(|(inside, _)| *inside != scope);
        self.inside.push((scope, None));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Foreign(scopes) => self.append(None, scopes.into_iter().map(scope).collect()),
            Step::Invalidate(number) => {
                self.epochs.local.apply(&[scope(number)], []);
                self.enter(scope(number));
            }
            Step::Append => {
                let Some(batch) = self.epochs.take(usize::MAX) else { return };
                for (scope, attempt) in &mut self.inside {
                    if batch.scopes.contains(scope) {
                        *attempt = Some(batch.attempt);
                    }
                }
                self.append(Some(batch.attempt), batch.scopes.clone());
                self.under_way = Some(batch);
            }
            Step::Fail => {
                let Some(batch) = self.under_way.take() else { return };
                for (_, attempt) in &mut self.inside {
                    *attempt = attempt.filter(|attempt| *attempt != batch.attempt);
                }
                self.log().outbox().failed([batch]);
            }
            Step::Follow(most) => self.follow(most),
            Step::Start => self.start(),
            Step::Back => self.back(),
        }
    }

    fn follow(&mut self, most: usize) {
        if self.floor == u64::MAX {
            return;
        }
        let first = self.records.iter().position(|record| record.epoch.0 > self.position);
        let Some(first) = first else { return };
        let last = (first + most).min(self.records.len());
        let news = &self.records[first..last];
        self.position = news[news.len() - 1].epoch.0;
        self.epochs.follow(news, Epoch(self.position));
        self.known[first..last].fill(true);
        for record in news {
            let own = |inside: &(ScopeHash, Option<u64>)| inside.1.is_some() && inside.1 == record.own;
            self.left.extend(self.inside.iter().filter(|inside| own(inside)).map(|(scope, _)| *scope));
            self.inside.retain(|inside| !own(inside));
        }
    }

    fn start(&mut self) {
        self.position = self.records.last().map_or(5, |record| record.epoch.0);
        self.floor = self.position;
        self.back = self.records.len();
        self.epochs.start_anew(Epoch(self.position));
        assert!(!self.log().accepts(&[scope(0)], Epoch(self.position)), "before the log was read");
        self.log().lower_start_floor(Epoch(self.position));
        for scope in std::mem::take(&mut self.left) {
            self.enter_again(scope);
        }
        self.inside.iter_mut().for_each(|(_, attempt)| *attempt = None);
    }

    fn back(&mut self) {
        if self.floor == u64::MAX || self.back == 0 {
            return;
        }
        self.back -= 1;
        let record = &self.records[self.back];
        self.log().read_back(record);
        self.known[self.back] = true;
        self.floor = self.floor.min(record.epoch.0);
    }

    fn expects(&self, scopes: &[ScopeHash], epoch: u64) -> bool {
        let covers = |scope: &ScopeHash| *scope == ScopeHash::ALL || scopes.contains(scope);
        let known = self.records.iter().zip(&self.known).filter(|(_, known)| **known);
        let newer = known.map(|(record, _)| record).filter(|record| record.epoch.0 > epoch);
        epoch >= self.floor
            && !self.inside.iter().any(|(scope, _)| covers(scope))
            && !newer.flat_map(|record| &record.scopes).any(covers)
    }

    fn check(&self) {
        for epoch in (0..=10 * self.records.len() as u64 + 10).step_by(5) {
            for scopes in [vec![0], vec![1, 2], vec![0, 2, 3], vec![3]] {
                let scopes: Vec<_> = scopes.into_iter().map(scope).collect();
                assert_eq!(
                    self.log().accepts(&scopes, Epoch(epoch)),
                    self.expects(&scopes, epoch),
                    "{scopes:?} at {epoch}, floor {}, inside {:?}, records {:?}",
                    self.floor,
                    self.inside,
                    self.records,
                );
            }
        }
        assert_eq!(self.log().position().0, self.position);
        assert!(self.log().highest() >= self.log().position());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn judges_like_one_who_remembers_everything(steps in vec(step(), 0..60)) {
        let mut world = World::new();
        world.check();
        for step in steps {
            world.step(step);
            world.check();
        }
    }
}

#[test]
fn nothing_is_accepted_before_the_first_start() {
    let log = LogOrder::new(64);
    assert!(!log.accepts(&[scope(0)], Epoch(u64::MAX - 1)));
}

#[test]
fn a_record_that_covers_everything_is_not_undone_by_reading_back() {
    let log = LogOrder::new(64);
    log.lower_start_floor(Epoch(30));
    log.read_back(&Record { epoch: Epoch(20), own: None, scopes: vec![ScopeHash::ALL] });
    log.read_back(&Record { epoch: Epoch(10), own: None, scopes: vec![scope(1)] });
    assert!(log.accepts(&[scope(0)], Epoch(20)));
    assert!(!log.accepts(&[scope(0)], Epoch(19)));
}

#[test]
fn epochs_are_ids_and_absurd_ids_are_none() {
    let epoch = Epoch::from_id(1_700_000_000_000, 7).unwrap();
    assert_eq!((epoch.milliseconds(), epoch.sequence()), (1_700_000_000_000, 7));
    assert_eq!(Epoch::from_id((1 << 42) - 1, (1 << 22) - 1), Some(Epoch(u64::MAX)));
    assert_eq!(Epoch::from_id(1 << 42, 0), None);
    assert_eq!(Epoch::from_id(1, 1 << 22), None);

    let near = Epoch::from_id(5, (1 << 22) - 1_000).unwrap();
    assert_eq!(near.next_millisecond_near_end(), Epoch::from_id(6, 0));
    assert_eq!(Epoch(near.0 - 1).next_millisecond_near_end(), None);
    assert_eq!(Epoch::after(near, 9, 60_000), Epoch::from_id(60_009, 0));
    assert_eq!(Epoch::after(near, 0, 60_000), Epoch::from_id(60_005, 0));
    assert_eq!(Epoch::after(near, 1 << 42, 60_000), None);
}

/// A log was lost and made anew twice in a row. This process follows the second one; the entry is of a process that has
/// seen the first one, and does not know yet that it is gone.
#[test]
fn an_entry_of_a_log_that_was_lost_is_not_compared_with_this_one() {
    const NOW: u64 = 1_800_000_000_000;
    let log = LogOrder::new(64);
    log.contact().set_server_time(NOW);
    let id = |ahead: u64, sequence| Epoch::from_id(NOW + ahead, sequence).unwrap();
    log.lower_start_floor(id(70_000, 0));
    log.raise(&[scope(0)], id(70_000, 1));
    log.move_to(id(70_000, 4));
    for lost in [id(60_000, 15), id(70_001, 0), id(110_000, 15)] {
        assert!(!log.accepts(&[scope(0)], lost), "{lost}");
        assert!(!log.accepts(&[scope(1)], lost), "{lost}");
        assert!(lost < log.latest_possible(), "it is no forgery");
    }
    // What another process of this log wrote is accepted, also before this one has come so far.
    assert!(log.accepts(&[scope(0)], id(70_000, 9)));
    // And once the clock is there, IDs follow it again.
    log.contact().set_server_time(NOW + 200_000);
    assert!(log.accepts(&[scope(0)], id(200_000, 0)));
}

/// An entry stays valid, and is marked by what is newer: in the outbox, in the slots, and not by a record that only comes
/// late.
#[test]
fn marks_are_judged_in_both_orders() {
    let epochs = SharedEpochs::new(Arc::new(LocalOrder::new()), MANY);
    let (key, other, now) = (scope(0), scope(1), Clock::default().now());
    let mark = |epoch| Record { epoch: Epoch(epoch), own: None, scopes: vec![key.mark()] };
    let marked = |scope, epoch| epochs.marked(&[scope], Epoch(epoch), now).is_some();
    epochs.start_anew(Epoch(10));
    epochs.log.lower_start_floor(Epoch(10));
    assert!(!marked(key, 10));
    epochs.follow(&[mark(12)], Epoch(14));
    assert!(epochs.judge(&[key], Epoch(11)).is_some(), "it is not invalidated");
    assert!(marked(key, 11) && !marked(key, 12) && !marked(other, 11));

    epochs.local.mark(&[ScopeHash::ALL], now);
    assert_eq!(epochs.marked(&[other], Epoch(14), now), Some(Marked(Some(now))), "in the outbox");
    let batch = epochs.take(9).unwrap();
    let record = Record { epoch: Epoch(15), own: Some(batch.attempt), scopes: batch.scopes };
    epochs.follow(&[record], Epoch(15));
    assert_eq!(epochs.log.outbox().len(), 0);
    assert!(marked(other, 14) && !marked(other, 15), "in the slots");

    let taken = epochs.judge(&[key], Epoch(20)).unwrap();
    epochs.follow(&[mark(18)], Epoch(21));
    assert!(!epochs.local.unmarked(&[key], taken), "local order takes a late record for a new one");
    assert!(epochs.local.unmarked_in_log_order(&[key], taken));
    epochs.follow(&[mark(22)], Epoch(22));
    assert!(!epochs.local.unmarked_in_log_order(&[key], taken));
}
