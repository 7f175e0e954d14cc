//! The same between processes: entries of the server, judged while the log moves.

use std::{sync::Arc, time::Duration};

use loom::thread;

use super::check;
use crate::{
    clock::Clock,
    entry::{DependencySet, Entry, ForeignDependencies},
    epoch::{
        Epoch, Epochs, LocalOrder, ReadVersion, ValidAt,
        shared::{Instant, Record, SharedEpochs},
    },
    policy::Policy,
    scope::{Scope, ScopeHash},
    value::ValueType,
};

const BEFORE: Epoch = Epoch(10);
const CHANGE: Epoch = Epoch(11);

/// Longer than any run of a model takes.
const HOUR: Duration = Duration::from_secs(3_600);

/// A process that follows a log, in contact since [`BEFORE`].
struct World {
    epochs: SharedEpochs,
    key: ScopeHash,
}

impl World {
    fn new() -> Arc<Self> {
        let epochs = SharedEpochs::new(Arc::new(LocalOrder::new()), 1);
        epochs.start_anew(BEFORE);
        epochs.log.lower_start_floor(BEFORE);
        Arc::new(Self { epochs, key: Scope::key("k").hash() })
    }

    fn record(&self, own: Option<u64>) -> Record {
        Record { epoch: CHANGE, own, scopes: vec![self.key] }
    }

    /// Nothing is to be served out of contact, and there was none so far.
    fn without_contact() -> Arc<Self> {
        let world = Self::new();
        world.epochs.log.contact().restrict(HOUR);
        world
    }

    /// What the log's reader does: applies the change, and proves contact of what it has applied.
    fn catch_up(&self) {
        self.epochs.follow(&[self.record(None)], CHANGE);
        self.epochs.log.contact().prove(Instant::now());
    }

    /// Takes an entry of the server into memory, from before the change.
    fn judge(&self) -> Option<ReadVersion> {
        self.epochs.judge(&[self.key], BEFORE)
    }

    fn is_valid(&self, since: ReadVersion) -> bool {
        self.epochs.local.unchanged(&[self.key], since)
    }

    /// Appends what waits, and reads it back.
    fn send(&self) {
        if let Some(parcel) = self.epochs.take(1) {
            self.epochs.follow(&[self.record(Some(parcel.attempt))], CHANGE);
        }
    }

    /// An entry that was taken from the server while the change was on its way is not valid after it.
    fn check_taken(&self, taken: Option<ReadVersion>) {
        assert!(!taken.is_some_and(|since| self.is_valid(since)), "a stale entry is valid in memory");
        assert!(self.judge().is_none(), "a stale entry of the server is accepted");
    }

    /// What a computation does that reads a stored entry from memory: its result, for the server, where the stored
    /// entry was still valid.
    fn compute_from(&self, stored: ReadVersion) -> Option<Epoch> {
        let since = self.epochs.local.begin();
        let epoch = since.epoch_in(&self.epochs.log).unwrap();
        self.is_valid(stored).then_some(epoch)
    }

    /// A result that was made from the stored entry is not accepted after the change.
    fn check_result(&self, result: Option<Epoch>) {
        let accepted = |epoch| self.epochs.log.accepts(&[self.key], epoch);
        assert!(!result.is_some_and(accepted), "a result made from a stale entry is accepted");
    }
}

fn beside<R: 'static>(world: &Arc<World>, run: impl FnOnce(&World) -> R + 'static) -> thread::JoinHandle<R> {
    let world = world.clone();
    thread::spawn(move || run(&world))
}

/// An entry of memory.
fn stored(since: ReadVersion, scopes: &[ScopeHash], foreign_dependencies: Vec<ForeignDependencies>) -> Entry {
    let cover = DependencySet {
        since,
        announcement: None,
        scopes: scopes.iter().copied().collect(),
        foreign_dependencies,
        marked: None,
    };
    Entry::new(
        ("k".into(), 0),
        (0_u64, ValueType::none(), Duration::ZERO),
        (Clock::default().now(), HOUR),
        (&Policy::ttl(HOUR), None),
        cover,
    )
}

/// Outbox, slots, counter, append, echo, leave.
#[test]
fn loom_an_own_invalidation_against_an_entry_of_the_server() {
    check(|| {
        let world = World::new();
        let judge = beside(&world, World::judge);
        world.epochs.local.apply(&[world.key], []);
        world.send();
        world.check_taken(judge.join().unwrap());
    });
}

/// The append is not part of the call: the sender may be faster than the call returns.
#[test]
fn loom_an_own_invalidation_and_its_sender_against_a_computation() {
    check(|| {
        let world = World::new();
        let stored = world.epochs.local.begin();
        let caller = beside(&world, |world| _ = world.epochs.local.apply(&[world.key], []));
        let sender = beside(&world, World::send);
        let result = world.compute_from(stored);
        caller.join().unwrap();
        sender.join().unwrap();
        world.check_result(result);
    });
}

#[test]
fn loom_a_foreign_record_against_an_entry_of_the_server() {
    check(|| {
        let world = World::new();
        let judge = beside(&world, World::judge);
        world.epochs.follow(&[world.record(None)], CHANGE);
        world.check_taken(judge.join().unwrap());
    });
}

#[test]
fn loom_a_foreign_record_against_a_computation() {
    check(|| {
        let world = World::new();
        let stored = world.epochs.local.begin();
        let reader = beside(&world, |world| world.epochs.follow(&[world.record(None)], CHANGE));
        let result = world.compute_from(stored);
        reader.join().unwrap();
        world.check_result(result);
    });
}

/// Out of contact nothing is served; and in contact, what was applied is seen. So an entry from before the change is
/// served at no time, however the look and the reader of the log interleave.
#[test]
fn loom_contact_that_is_proven_during_a_hit() {
    check(|| {
        let world = World::without_contact();
        let entry = stored(world.epochs.local.begin(), &[world.key], Vec::new());
        let reader = beside(&world, World::catch_up);
        assert!(!entry.0.is_valid(&world.epochs.local), "an old entry of memory is served");
        reader.join().unwrap();
        assert!(!entry.0.is_valid(&world.epochs.local), "an old entry of memory is served in contact");
    });
}

/// The same, for an entry that was made from one of another cache, which has another log.
#[test]
fn loom_contact_that_is_proven_during_a_hit_elsewhere() {
    check(|| {
        let world = World::without_contact();
        let here = Epochs::new(world.epochs.local.order.clone(), 1);
        let there = ForeignDependencies {
            epochs: world.epochs.local.clone(),
            scopes: [world.key].into_iter().collect(),
        };
        let entry = stored(here.begin(), &[], vec![there]);
        let reader = beside(&world, World::catch_up);
        assert!(!entry.0.is_valid(&here), "an entry made from an old one is served");
        reader.join().unwrap();
    });
}

#[test]
fn loom_contact_that_is_proven_while_an_entry_of_the_server_is_judged() {
    check(|| {
        let world = World::without_contact();
        let reader = beside(&world, World::catch_up);
        assert!(world.judge().is_none(), "an old entry of the server is accepted");
        reader.join().unwrap();
    });
}

#[test]
fn loom_a_new_start_against_an_entry_of_the_server() {
    check(|| {
        let world = World::new();
        let judge = beside(&world, World::judge);
        world.epochs.start_anew(Epoch(20));
        world.epochs.log.lower_start_floor(Epoch(20));
        world.check_taken(judge.join().unwrap());
    });
}

#[test]
fn loom_a_new_start_against_a_computation() {
    check(|| {
        let world = World::new();
        let stored = world.epochs.local.begin();
        let reader = beside(&world, |world| {
            world.epochs.start_anew(Epoch(20));
            world.epochs.log.lower_start_floor(Epoch(20));
        });
        let result = world.compute_from(stored);
        reader.join().unwrap();
        world.check_result(result);
    });
}

/// The backward read makes older entries good again, but for those that what it has read covers.
#[test]
fn loom_the_backward_read_against_an_entry_of_the_server() {
    check(|| {
        let world = World::new();
        world.epochs.start_anew(Epoch(20));
        world.epochs.log.lower_start_floor(Epoch(20));
        let judge = beside(&world, World::judge);
        let log = &world.epochs.log;
        log.read_back(&world.record(None));
        let other = vec![Scope::prefix("p").hash()];
        log.read_back(&Record { epoch: BEFORE, own: None, scopes: other.clone() });
        assert!(judge.join().unwrap().is_none(), "a stale entry of the server is accepted");
        assert!(log.accepts(&other, BEFORE), "what nothing covers is good again");
    });
}

/// A record that is older than an entry in memory drops nothing, however late it is read; and while the stamp moves up
/// because of that, an invalidation that is newer is not hidden by it.
#[test]
fn loom_an_entry_that_is_newer_than_a_record_against_an_own_invalidation() {
    check(|| {
        let world = World::new();
        let taken = world.epochs.judge(&[world.key], CHANGE).unwrap();
        world.epochs.follow(&[world.record(None)], CHANGE);
        let stamp = Arc::new(ValidAt::new(taken));
        let holds = move |world: &World, stamp: &ValidAt| {
            let key = [world.key];
            world.epochs.local.holds(stamp, |stamp| {
                world.epochs.local.unchanged(&key, stamp)
                    || world.epochs.local.valid_in_log_order(&key, stamp, taken)
            })
        };
        let reader = beside(&world, {
            let stamp = stamp.clone();
            move |world| holds(world, &stamp)
        });
        world.epochs.local.apply(&[world.key], []);
        if let Some(parcel) = world.epochs.take(1) {
            let newer = Record { epoch: Epoch(12), ..world.record(Some(parcel.attempt)) };
            world.epochs.follow(&[newer], Epoch(12));
        }
        reader.join().unwrap();
        assert!(!holds(&world, &stamp), "a stale entry is valid in memory");
    });
}
