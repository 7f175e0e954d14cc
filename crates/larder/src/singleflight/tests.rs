use std::{
    any::TypeId,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use super::*;
use crate::{
    cache::Lease,
    clock::Clock,
    entry::{DependencySet, Entry},
    epoch::LocalOrder,
    policy::Policy,
    scope::{self, Scope, ScopeHash, ScopeSet},
    value::ValueType,
};

struct World {
    epochs: Epochs,
    singleflight: Singleflight,
    work: WorkKey,
    scopes: ScopeSet,
    /// Of those who are never abandoned.
    watch: Arc<Watch>,
}

impl World {
    fn new() -> Self {
        Self {
            epochs: Epochs::new(Arc::new(LocalOrder::new()), 1 << 20),
            singleflight: Singleflight::new(),
            work: WorkKey { key: "k".into(), hash: 0, value_type: TypeId::of::<u64>() },
            scopes: scope::covering("k", &[]),
            watch: Watch::new(Duration::MAX),
        }
    }

    fn enter(&self, came: Option<Arrival>) -> (Role, Arrival) {
        self.singleflight.enter(self.caller(&self.watch), &self.epochs, came)
    }

    fn caller<'a>(&'a self, watch: &'a Arc<Watch>) -> Caller<'a> {
        Caller { work: &self.work, scopes: &self.scopes, watch }
    }

    /// One that leads, was woken, and is not polled any more.
    fn abandoned(&self) -> Leader {
        let watch = Watch::of_task(Duration::ZERO);
        match self.singleflight.enter(self.caller(&watch), &self.epochs, None).0 {
            Role::Leader(lead) => lead,
            Role::Waiter(_) => panic!("a computation is under way that should be joined"),
        }
    }

    fn lead(&self) -> Leader {
        match self.enter(None).0 {
            Role::Leader(lead) => lead,
            Role::Waiter(_) => panic!("a computation is under way that should be joined"),
        }
    }

    fn join(&self) -> Waiter {
        match self.enter(None).0 {
            Role::Waiter(join) => join,
            Role::Leader(_) => panic!("there is no computation that should be joined"),
        }
    }

    fn value(&self, lead: &Leader, read: &[ScopeHash]) -> Outcome {
        let mut scopes = self.scopes.clone();
        scopes.extend(read.iter().copied());
        let cover = DependencySet {
            since: lead.since(),
            announcement: None,
            scopes,
            foreign_dependencies: Vec::new(),
            marked: None,
        };
        let lives = (Clock::default().now(), Duration::MAX);
        let policy = Policy::ttl(Duration::MAX);
        Outcome::Value(Entry::new(
            ((&self.work.key).into(), 0),
            (7_u64, ValueType::of::<u64>(None), Duration::ZERO),
            lives,
            (&policy, None),
            cover,
        ))
    }

    fn invalidate(&self) {
        self.epochs.apply(&[ScopeHash::key("k")], []);
    }
}

/// What a waiter has after one poll.
fn poll(join: Waiter, epochs: &Epochs) -> Poll<Awaited> {
    pin!(join.outcome(epochs)).as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_valid_outcome_is_accepted() {
    let world = World::new();
    let lead = world.lead();
    let join = world.join();
    let outcome = world.value(&lead, &[]);
    lead.complete(outcome, false);
    assert!(matches!(poll(join, &world.epochs), Poll::Ready(Awaited::Accepted(_))));
    assert_eq!(world.singleflight.len(), 0);
}

#[test]
fn an_outcome_is_judged_by_all_its_scopes() {
    let world = World::new();
    let lead = world.lead();
    let join = world.join();
    let read = Scope::key("read by the computation").hash();
    world.epochs.apply(&[read], []);
    let outcome = world.value(&lead, &[read]);
    lead.complete(outcome, false);
    assert!(matches!(poll(join, &world.epochs), Poll::Ready(Awaited::Outdated)));
}

#[test]
fn an_outdated_flight_is_left_behind_once_and_never_twice() {
    let world = World::new();
    let first = world.lead();
    world.invalidate();
    let second = world.lead();
    world.invalidate();
    let waits_for_second = world.join();
    drop((first, second, waits_for_second));
    assert_eq!(world.singleflight.len(), 0);
}

/// The computation that a caller waits for after an outdated one began after he came, and is accepted whatever
/// was invalidated in the meantime.
#[test]
fn no_caller_waits_for_more_than_two_computations() {
    let world = World::new();
    let lead = world.lead();
    let (role, came) = world.enter(None);
    let Role::Waiter(join) = role else { panic!("the computation is joined") };
    world.invalidate();
    let outcome = world.value(&lead, &[]);
    lead.complete(outcome, false);
    assert!(matches!(poll(join, &world.epochs), Poll::Ready(Awaited::Outdated)));

    let lead = world.lead();
    world.invalidate();
    let Role::Waiter(join) = world.enter(Some(came)).0 else { panic!("the second computation is joined") };
    let outcome = world.value(&lead, &[]);
    lead.complete(outcome, false);
    assert!(matches!(poll(join, &world.epochs), Poll::Ready(Awaited::Accepted(_))));
}

/// Also when an older computation was taken over behind the one that a caller waits for.
#[test]
fn after_one_wait_a_computation_that_was_taken_over_before_is_not_joined() {
    let world = World::new();
    let first = world.lead();
    let waits_for_first = world.join();
    world.invalidate();
    let second = world.lead();
    world.invalidate();
    drop(first);
    let Poll::Ready(Awaited::Leader(taken_over)) = poll(waits_for_first, &world.epochs) else {
        panic!("the lead passes on")
    };
    let (role, came) = world.enter(None);
    let Role::Waiter(join) = role else { panic!("two are under way") };
    let outcome = world.value(&second, &[]);
    second.complete(outcome, false);
    assert!(matches!(poll(join, &world.epochs), Poll::Ready(Awaited::Outdated)));
    assert!(matches!(world.enter(Some(came)).0, Role::Leader(_)));
    drop(taken_over);
}

#[test]
fn a_dropped_lead_passes_to_a_waiter_and_begins_anew() {
    let world = World::new();
    let lead = world.lead();
    let began = lead.since();
    let join = world.join();
    world.invalidate();
    drop(lead);
    let Poll::Ready(Awaited::Leader(lead)) = poll(join, &world.epochs) else { panic!("the lead passes on") };
    assert_ne!(lead.since(), began);
    drop(lead);
    assert_eq!(world.singleflight.len(), 0);
}

#[test]
fn a_late_end_does_not_touch_a_newer_flight() {
    let world = World::new();
    let first = world.lead();
    world.invalidate();
    let second = world.lead();
    let outcome = world.value(&first, &[]);
    first.complete(outcome, false);
    assert_eq!(world.singleflight.len(), 1);
    let join = world.join();
    drop(second);
    assert!(matches!(poll(join, &world.epochs), Poll::Ready(Awaited::Leader(_))));
    assert_eq!(world.singleflight.len(), 0);
}

#[test]
fn a_refresh_is_led_by_one() {
    let world = World::new();
    let caller = world.caller(&world.watch);
    let lead = world.singleflight.lead_if_idle(caller, &world.epochs);
    assert!(lead.is_some());
    assert!(world.singleflight.lead_if_idle(caller, &world.epochs).is_none());
}

#[test]
fn an_abandoned_lead_passes_to_a_waiter_and_begins_anew() {
    let world = World::new();
    let left = world.abandoned();
    let began = left.since();
    world.invalidate();
    let Role::Leader(lead) = world.enter(None).0 else { panic!("the lead passes on") };
    assert_ne!(lead.since(), began);
    assert!(lead.took_over() && !lead.is_superseded() && left.is_superseded());
    assert!(matches!(world.enter(None).0, Role::Waiter(_)), "there is one leader");
    drop(left);
    assert!(matches!(world.enter(None).0, Role::Waiter(_)), "also when the other one is dropped");
    drop(lead);
    assert_eq!(world.singleflight.len(), 0);
}

#[test]
fn an_outcome_of_a_superseded_leader_is_given_to_no_caller() {
    let world = World::new();
    let left = world.abandoned();
    let outdated = world.value(&left, &[]);
    let lead = world.lead();
    let join = world.join();
    left.complete(outdated, true);
    let mut waits = pin!(join.outcome(&world.epochs));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waits.as_mut().poll(&mut context).is_pending());
    let outcome = world.value(&lead, &[]);
    lead.complete(outcome, true);
    assert!(matches!(waits.as_mut().poll(&mut context), Poll::Ready(Awaited::Accepted(_))));
    assert_eq!(world.singleflight.len(), 0);
}

/// A lease is the computation's: the leader that takes over has it, and the one that was superseded cannot give it back.
#[test]
fn a_lease_stays_with_the_flight() {
    struct Counted(Arc<std::sync::Mutex<Vec<&'static str>>>);
    impl crate::cache::HeldLease for Counted {
        fn fill(&mut self) {
            self.0.lock().unwrap().push("filled");
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.lock().unwrap().push("given back");
        }
    }
    let world = World::new();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let left = world.abandoned();
    left.hold(Lease::new(Counted(seen.clone())));
    let lead = world.lead();
    assert!(lead.has_lease());
    drop(left);
    assert!(seen.lock().unwrap().is_empty());
    let outcome = world.value(&lead, &[]);
    lead.complete(outcome, true);
    assert_eq!(*seen.lock().unwrap(), ["filled", "given back"]);

    let left = world.abandoned();
    let _lead = world.lead();
    left.hold(Lease::new(Counted(seen.clone())));
    assert_eq!(seen.lock().unwrap().len(), 3, "what comes too late is of no use");
}

/// Waking one may panic: the others are woken, and no value is lost.
#[test]
fn a_waker_that_panics_harms_no_other() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    struct Woken(std::sync::atomic::AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
    for completed in [true, false] {
        let world = World::new();
        let lead = world.lead();
        let bomb = Waker::from(Arc::new(Bomb));
        let woken = Arc::new(Woken(false.into()));
        let waker = Waker::from(woken.clone());
        let mut first = pin!(world.join().outcome(&world.epochs));
        assert!(first.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
        let mut second = pin!(world.join().outcome(&world.epochs));
        assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        match completed {
            true => lead.complete(Outcome::Unshared, false),
            false => drop(lead),
        }
        assert!(woken.0.load(std::sync::atomic::Ordering::SeqCst));
        assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }
}

#[test]
fn a_waiter_that_left_keeps_no_waker() {
    struct Unmoved;
    impl Wake for Unmoved {
        fn wake(self: Arc<Self>) {}
    }
    let world = World::new();
    let lead = world.lead();
    let counted = Arc::new(Unmoved);
    let waker = Waker::from(counted.clone());
    for _ in 0..10 {
        let mut outcome = pin!(world.join().outcome(&world.epochs));
        assert!(outcome.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    // `counted` and `waker`.
    assert_eq!(Arc::strong_count(&counted), 2);
    drop(lead);
}

/// An executor may drop other tasks when one is woken: these take the same locks.
#[test]
fn a_waker_may_drop_another_waiter() {
    struct Dropper(std::sync::Mutex<Option<Waiter>>);
    impl Wake for Dropper {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for completed in [true, false] {
            let world = World::new();
            let lead = world.lead();
            let dropper = Arc::new(Dropper(std::sync::Mutex::new(Some(world.join()))));
            let waker = Waker::from(dropper);
            let mut outcome = pin!(world.join().outcome(&world.epochs));
            assert!(outcome.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            match completed {
                true => lead.complete(Outcome::Unshared, false),
                false => drop(lead),
            }
        }
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(20)).expect("the waker runs under a lock");
}
