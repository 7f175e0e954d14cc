//! Joining, and handing over, under every interleaving up to a bound of preemptions.

use std::{any::TypeId, sync::Arc, time::Duration};

use loom::{future::block_on, sync::atomic::AtomicU64, thread};

use super::*;
use crate::{
    clock::Clock,
    entry::{DependencySet, Entry},
    epoch::LocalOrder,
    policy::Policy,
    scope::{self, Scope, ScopeHash, ScopeSet},
    sync::Ordering,
    value::ValueType,
};

fn check(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(run);
}

/// A source of truth, a cache's order of changes, and its computations.
struct World {
    epochs: Epochs,
    singleflight: Singleflight,
    source: AtomicU64,
    computations: AtomicU64,
    work: WorkKey,
    scopes: ScopeSet,
    /// What the value is computed from, too: known only when the computation ends.
    dependency: ScopeHash,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            epochs: Epochs::new(Arc::new(LocalOrder::new()), 1),
            singleflight: Singleflight::new(),
            source: AtomicU64::new(0),
            computations: AtomicU64::new(0),
            work: WorkKey { key: "k".into(), hash: 0, value_type: TypeId::of::<u64>() },
            scopes: scope::covering("k", &[]),
            dependency: Scope::prefix("d").hash(),
        })
    }

    /// Reads through a computation, as a caller does; leaves it in the middle if `gives_up`.
    fn read(&self, gives_up: bool) -> Option<u64> {
        self.read_watched(gives_up, &Watch::new(Duration::MAX))
    }

    fn read_watched(&self, gives_up: bool, watch: &Arc<Watch>) -> Option<u64> {
        let mut came = None;
        loop {
            let caller = Caller { work: &self.work, scopes: &self.scopes, watch };
            let (role, arrival) = self.singleflight.enter(caller, &self.epochs, came);
            came = Some(arrival);
            let join = match role {
                Role::Leader(lead) => return self.lead(lead, gives_up),
                Role::Waiter(join) => join,
            };
            match block_on(join.outcome(&self.epochs)) {
                Awaited::Accepted(Outcome::Value(entry)) => return entry.value::<u64>().copied(),
                Awaited::Accepted(_) => unreachable!("every computation succeeds"),
                Awaited::Outdated => {}
                Awaited::Leader(lead) => return self.lead(lead, gives_up),
            }
        }
    }

    fn lead(&self, lead: Leader, gives_up: bool) -> Option<u64> {
        self.computations.fetch_add(1, Ordering::Relaxed);
        let since = lead.since();
        let value = self.source.load(Ordering::Relaxed);
        if gives_up {
            return None;
        }
        let mut scopes = self.scopes.clone();
        scopes.extend([self.dependency]);
        let cover = DependencySet::new(since, scopes);
        let policy = Policy::ttl(Duration::MAX);
        let lives = (Clock::default().now(), Duration::MAX);
        let entry = Entry::new(
            ((&self.work.key).into(), 0),
            (value, ValueType::none(), Duration::ZERO),
            lives,
            (&policy, None),
            cover,
        );
        lead.complete(Outcome::Value(entry), false);
        Some(value)
    }

    fn change(&self, scope: ScopeHash) {
        self.source.store(1, Ordering::Relaxed);
        self.epochs.apply(&[scope], []);
    }
}

/// Runs `one` beside the calling thread's `other`; afterwards no computation is left.
fn beside<A: Send + 'static, B>(
    world: &Arc<World>,
    one: impl FnOnce(&World) -> A + Send + 'static,
    other: impl FnOnce(&World) -> B,
) -> (A, B) {
    let thread = thread::spawn({
        let world = world.clone();
        move || one(&world)
    });
    let other = other(world);
    let one = thread.join().unwrap();
    assert_eq!(world.singleflight.len(), 0);
    (one, other)
}

#[test]
fn loom_two_callers_get_the_value_and_leave_no_flight() {
    check(3, || {
        let world = World::new();
        let (one, other) = beside(&world, |world| world.read(false), |world| world.read(false));
        assert_eq!((one, other), (Some(0), Some(0)));
    });
}

/// A caller that comes after an invalidation returned gets nothing that was computed before it, whichever computation
/// is under way.
#[test]
fn loom_a_caller_who_comes_after_an_invalidation_gets_no_older_value() {
    check(3, || {
        let world = World::new();
        let late = |world: &World| {
            world.change(ScopeHash::key("k"));
            world.read(false)
        };
        let (_, late) = beside(&world, |world| world.read(false), late);
        assert_eq!(late, Some(1));
    });
}

/// The same where only the outcome tells that it is covered.
#[test]
fn loom_a_caller_who_comes_after_a_dependency_was_invalidated_gets_no_older_value() {
    check(3, || {
        let world = World::new();
        let late = |world: &World| {
            world.change(world.dependency);
            world.read(false)
        };
        let (_, late) = beside(&world, |world| world.read(false), late);
        assert_eq!(late, Some(1));
    });
}

#[test]
fn loom_a_leader_who_gives_up_hands_over() {
    check(3, || {
        let world = World::new();
        let (_, patient) = beside(&world, |world| world.read(true), |world| world.read(false));
        assert_eq!(patient, Some(0));
    });
}

/// The same with an invalidation in between: the new leader begins anew.
#[test]
fn loom_a_computation_that_is_handed_over_begins_anew() {
    check(2, || {
        let world = World::new();
        let late = |world: &World| {
            world.change(ScopeHash::key("k"));
            world.read(false)
        };
        let (_, late) = beside(&world, |world| world.read(true), late);
        assert_eq!(late, Some(1));
    });
}

#[test]
fn loom_three_callers_of_whom_one_gives_up() {
    check(1, || {
        let world = World::new();
        let quitter = thread::spawn({
            let world = world.clone();
            move || world.read(true)
        });
        let (one, other) = {
            let thread = thread::spawn({
                let world = world.clone();
                move || world.read(false)
            });
            let other = world.read(false);
            (thread.join().unwrap(), other)
        };
        quitter.join().unwrap();
        assert_eq!((one, other), (Some(0), Some(0)));
        assert_eq!(world.singleflight.len(), 0);
    });
}

/// One that may be superseded at any moment, and is polled again all the same: the other one never waits for it
/// alone, and no caller gets what was computed before an invalidation that came first.
#[test]
fn loom_a_leader_that_is_passed_over_and_comes_back() {
    check(2, || {
        let world = World::new();
        let late = |world: &World| {
            world.change(ScopeHash::key("k"));
            world.read(false)
        };
        let left = |world: &World| world.read_watched(false, &Watch::of_task(Duration::ZERO));
        let (_, late) = beside(&world, left, late);
        assert_eq!(late, Some(1));
    });
}

/// The same with a third caller: there is one leader at a time, and whatever the one that was superseded computed
/// is for no caller that came after the change.
#[test]
fn loom_those_who_join_the_successor_get_its_value() {
    check(1, || {
        let world = World::new();
        let left = thread::spawn({
            let world = world.clone();
            move || world.read_watched(false, &Watch::of_task(Duration::ZERO))
        });
        let successor = thread::spawn({
            let world = world.clone();
            move || world.read(false)
        });
        world.change(ScopeHash::key("k"));
        assert_eq!(world.read(false), Some(1));
        left.join().unwrap();
        successor.join().unwrap();
        assert_eq!(world.singleflight.len(), 0);
    });
}
