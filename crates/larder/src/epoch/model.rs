//! The one rule under every interleaving that the memory model allows, up to three preemptions.

#[cfg(feature = "shared")]
mod log;

use std::sync::Arc;

use loom::{sync::atomic::AtomicU64, thread};

use super::{Epochs, LocalOrder, ReadVersion, ValidAt};
use crate::{
    scope::{Scope, ScopeHash},
    sync::Ordering,
};

pub(super) fn check(run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(run);
}

/// A source of truth, and the slots of a cache over it.
struct World {
    epochs: Epochs,
    source: AtomicU64,
    key: ScopeHash,
}

impl World {
    fn new() -> Arc<Self> {
        let epochs = Epochs::new(Arc::new(LocalOrder::new()), 1);
        Arc::new(Self { epochs, source: AtomicU64::new(0), key: Scope::key("k").hash() })
    }

    /// What a computation does: the stamp first, then the source.
    fn compute(&self) -> (ReadVersion, u64) {
        let since = self.epochs.begin();
        (since, self.source.load(Ordering::Relaxed))
    }

    /// What a change does: the source first, then the invalidation.
    fn change(&self, value: u64) {
        self.source.store(value, Ordering::Relaxed);
        self.epochs.apply(&[self.key], []);
    }

    fn is_valid(&self, since: ReadVersion) -> bool {
        self.epochs.unchanged(&[self.key], since)
    }
}

/// A hit that starts after an invalidation returned, and one that runs beside it.
#[test]
fn loom_a_hit_against_an_invalidation() {
    check(|| {
        let world = World::new();
        let (since, value) = world.compute();
        let changer = thread::spawn({
            let world = world.clone();
            move || world.change(1)
        });
        let _either_answer_is_right = world.is_valid(since);
        changer.join().unwrap();
        assert!(value == 1 || !world.is_valid(since));
    });
}

/// A computation that is under way while its key is invalidated: whatever it read before the change is
/// refused afterwards.
#[test]
fn loom_a_computation_that_ends_after_an_invalidation() {
    check(|| {
        let world = World::new();
        let computer = thread::spawn({
            let world = world.clone();
            move || world.compute()
        });
        world.change(1);
        let (since, value) = computer.join().unwrap();
        assert!(value == 1 || !world.is_valid(since), "a stale value is valid");
    });
}

/// Two changes at once, of the key and of a wider scope, in either order: what was read before either is
/// refused once that one returned.
#[test]
fn loom_two_appliers() {
    check(|| {
        let world = World::new();
        let prefix = Scope::prefix("p").hash();
        let other = thread::spawn({
            let world = world.clone();
            move || {
                world.source.fetch_add(1, Ordering::Relaxed);
                world.epochs.apply(&[prefix], []);
            }
        });
        world.source.fetch_add(1, Ordering::Relaxed);
        world.epochs.apply(&[world.key], []);
        let (since, value) = world.compute();
        other.join().unwrap();
        assert!(value == 2 || !world.epochs.unchanged(&[world.key, prefix], since));
    });
}

/// A change that another process made reaches this one late, from another thread than the one that
/// computes or stores: it counts from then on, for what was stored before it as for what is under way.
#[test]
fn loom_a_late_record() {
    check(|| {
        let world = World::new();
        world.source.store(1, Ordering::Relaxed);
        let (stored, _) = world.compute();
        let follower = thread::spawn({
            let world = world.clone();
            move || _ = world.epochs.apply(&[world.key], [])
        });
        let (under_way, _) = world.compute();
        let was_valid = world.is_valid(under_way);
        follower.join().unwrap();
        assert!(!world.is_valid(stored));
        assert!(was_valid || !world.is_valid(under_way), "what was refused stays refused");
    });
}

/// The stamp of an entry that is found valid moves up, to the counter from before the look: so that no change
/// is hidden by it that was not looked at. Two readers move it at once.
#[test]
fn loom_a_stamp_that_moves_up_hides_no_change() {
    check(|| {
        let world = World::new();
        let (since, value) = world.compute();
        // Something else changes, so that there is a reason to look.
        world.epochs.apply(&[Scope::prefix("p").hash()], []);
        let stamp = Arc::new(ValidAt::new(since));
        let holds = |world: &World, stamp: &ValidAt| world.epochs.holds(stamp, |since| world.is_valid(since));
        let [changer, reader] = [0, 1].map(|role| {
            let (world, stamp) = (world.clone(), stamp.clone());
            thread::spawn(move || match role {
                0 => world.change(1),
                _ => _ = holds(&world, &stamp),
            })
        });
        let _either_answer_is_right = holds(&world, &stamp);
        changer.join().unwrap();
        reader.join().unwrap();
        assert!(value == 1 || !holds(&world, &stamp));
    });
}

/// The ring of the last changes, of two places, while more are made: a reader that has seen the one of its key is not told
/// that there was none, though its place is written over; whether the ring was full by then, or not.
#[test]
fn loom_recent_changes_that_are_overtaken() {
    for before in [0, 1] {
        check(move || {
            let world = World::new();
            let mut changes =
                [Scope::key("a"), Scope::key("b"), Scope::key("c")].map(|scope| scope.hash()).to_vec();
            changes.truncate(before + 2);
            changes.insert(before, world.key);
            let changer = thread::spawn({
                let world = world.clone();
                move || changes.iter().for_each(|&scope| _ = world.epochs.apply(&[scope], []))
            });
            let now = world.epochs.order.now();
            let told = world.epochs.recent.unchanged(&[world.key], 0, usize::MAX);
            assert!(now <= before as u64 || told != Some(true), "a change is hidden");
            changer.join().unwrap();
            assert_eq!(world.epochs.recent.unchanged(&[world.key], before as u64, usize::MAX), None);
        });
    }
}

/// A replacement is a change, and its stamp is that change: an invalidation beside it either comes before
/// and refuses the value, or after and refuses the entry.
#[test]
fn loom_a_replacement_against_an_invalidation() {
    check(|| {
        let world = World::new();
        let (since, value) = world.compute();
        let changer = thread::spawn({
            let world = world.clone();
            move || world.change(1)
        });
        let (stands, stamp) =
            world.epochs.replace(&[world.key], |replacement| (world.is_valid(since), replacement.since));
        changer.join().unwrap();
        assert!(value == 1 || !stands || !world.is_valid(stamp));
    });
}

/// A reader that found nothing before a replacement, and begins after it: it finds what was put in place when it looks
/// again, or what it computes from the old source is not valid. The entry may be found valid while it is not yet part of
/// a change that can be seen, and stays valid.
#[test]
fn loom_a_replacement_against_a_computation_from_what_was_before() {
    check(|| {
        let world = World::new();
        let placed = Arc::new(ValidAt::new(ReadVersion { local: 0, log: None }));
        let is_placed = Arc::new(AtomicU64::new(0));
        let holds = |world: &World, stamp: &ValidAt| world.epochs.holds(stamp, |since| world.is_valid(since));
        let reader = thread::spawn({
            let (world, placed, is_placed) = (world.clone(), placed.clone(), is_placed.clone());
            move || {
                let since = world.epochs.begin();
                let finds = is_placed.load(Ordering::Acquire) == 1;
                (since, finds && holds(&world, &placed))
            }
        });
        world.epochs.replace(&[world.key], |replacement| {
            placed.set(replacement.since);
            is_placed.store(1, Ordering::Release);
        });
        assert!(holds(&world, &placed));
        let (since, finds) = reader.join().unwrap();
        assert!(finds || !world.is_valid(since), "the old value takes the place of the new one");
        assert!(holds(&world, &placed), "what was put in place does not stand");
    });
}
