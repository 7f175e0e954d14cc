use super::*;
use crate::clock::Clock;

mod simulation;

const KEY: u64 = 7;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn policy() -> Policy {
    Policy::adaptive(secs(30)..=secs(3_600))
}

/// A source whose value changes once in so long.
struct Source {
    took: Duration,
    changes_each: u64,
    /// The time from the end to the next call.
    gap: u64,
}

impl Source {
    /// The lifetimes that are chosen one after the other.
    fn lifetimes(&self, lifetimes: &AdaptiveLifetimes, policy: &Policy, count: usize) -> Vec<u64> {
        let mut now = Clock::default().now();
        let mut seconds = 0;
        let choose = |_| {
            let computed = Computed { now, took: self.took, digest: Some(seconds / self.changes_each) };
            let lifetime = lifetimes.choose(KEY, computed, policy);
            let next = lifetime + secs(self.gap) + self.took;
            now = now.after(next);
            seconds += next.as_secs();
            lifetime.as_secs()
        };
        (0..count).map(choose).collect()
    }

    fn last(&self) -> u64 {
        self.lifetimes(&AdaptiveLifetimes::default(), &policy(), 40)[39]
    }
}

const USUAL: Source = Source { took: Duration::from_millis(100), changes_each: 3_600, gap: 0 };

#[test]
fn the_first_lives_shortest_and_none_grows_by_more_than_four_times() {
    let chosen = Source { took: secs(10), changes_each: u64::MAX, gap: 0 }.lifetimes(
        &AdaptiveLifetimes::default(),
        &policy(),
        10,
    );
    assert_eq!(chosen[..5], [30, 120, 480, 1_920, 3_600]);
    assert!(chosen.iter().all(|chosen| (30..=3_600).contains(chosen)), "{chosen:?}");
}

#[test]
fn longer_for_what_is_slow_seldom_changes_and_is_asked_for_often() {
    let usual = USUAL.last();
    assert!((60..3_000).contains(&usual), "{usual}");
    assert!(Source { took: secs(1), ..USUAL }.last() > 2 * usual);
    assert!(Source { took: Duration::from_millis(1), ..USUAL }.last() < usual / 2);
    assert!(Source { changes_each: 86_400, ..USUAL }.last() > usual);
    assert!(Source { changes_each: 120, ..USUAL }.last() < usual / 2);
    assert!(Source { gap: 300, ..USUAL }.last() < usual);
    assert_eq!(Source { gap: 100_000, ..USUAL }.last(), 30);
}

/// As of what is invalidated at each change: there is nothing of it to be out of date.
#[test]
fn what_is_dropped_before_its_end_costs_no_lifetime() {
    let lifetimes = AdaptiveLifetimes::default();
    let grown = *USUAL.lifetimes(&lifetimes, &policy(), 40).last().unwrap();
    let known = || *lock(lifetimes.shard(KEY)).get(&KEY).unwrap();
    let before = known();
    for changed in 0..100 {
        let now = known().stored.after(secs(grown / 2));
        let computed = Computed { now, took: USUAL.took, digest: Some(1_000_000 + changed) };
        assert_eq!(lifetimes.choose(KEY, computed, &policy()).as_secs(), grown);
    }
    assert_eq!(known().changed.sum, before.changed.sum);
}

/// What was quiet and then changes all the time is soon as short-lived as what always did.
#[test]
fn it_follows_a_source_that_becomes_restless() {
    let lifetimes = AdaptiveLifetimes::default();
    let quiet =
        *Source { changes_each: u64::MAX, ..USUAL }.lifetimes(&lifetimes, &policy(), 40).last().unwrap();
    let mut now = lock(lifetimes.shard(KEY)).get(&KEY).unwrap().end.after(secs(1));
    let mut chosen = Vec::new();
    for changed in 1..20 {
        let computed = Computed { now, took: USUAL.took, digest: Some(changed) };
        let lifetime = lifetimes.choose(KEY, computed, &policy());
        now = now.after(lifetime + secs(1));
        chosen.push(lifetime.as_secs());
    }
    assert!(chosen[4] < quiet / 2 && chosen[18] < quiet / 8, "{quiet}: {chosen:?}");
}

#[test]
fn values_without_a_digest_live_shortest() {
    let lifetimes = AdaptiveLifetimes::default();
    let mut now = Clock::default().now();
    for _ in 0..10 {
        let lifetime = lifetimes.choose(KEY, Computed { now, took: secs(1), digest: None }, &policy());
        assert_eq!(lifetime, secs(30));
        now = now.after(secs(40));
    }
}

#[test]
fn what_another_process_computed_is_no_pause_in_asking() {
    let (alone, shared) = (AdaptiveLifetimes::default(), AdaptiveLifetimes::default());
    let mut now = Clock::default().now();
    let mut chosen = [Duration::ZERO; 2];
    for _ in 0..40 {
        let computed = Computed { now, took: Duration::from_millis(100), digest: Some(1) };
        chosen = [&alone, &shared].map(|lifetimes| lifetimes.choose(KEY, computed, &policy()));
        // The other process has it for the next two hours.
        now = now.after(chosen[1]).after(secs(7_200));
        shared.found(KEY, now, now);
        now = now.after(secs(1));
    }
    assert!(chosen[0] < chosen[1], "{chosen:?}");
}

#[test]
fn they_are_bounded() {
    let lifetimes = AdaptiveLifetimes::default();
    let now = Clock::default().now();
    for key in 0..100_000_u64 {
        let computed = Computed { now, took: secs(1), digest: None };
        lifetimes.choose(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), computed, &policy());
    }
    let kept: usize = lifetimes.shards.iter().map(|shard| lock(shard).len()).sum();
    assert_eq!(kept, SHARDS * MOST);
}

#[test]
fn a_policy_that_is_not_adaptive_is_what_it_says() {
    let lifetimes = AdaptiveLifetimes::default();
    let computed = Computed { now: Clock::default().now(), took: secs(1), digest: Some(1) };
    assert_eq!(lifetimes.choose(KEY, computed, &Policy::ttl(secs(5))), secs(5));
    assert!(lifetimes.shards.iter().all(|shard| lock(shard).is_empty()));
}
