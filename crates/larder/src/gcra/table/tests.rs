use super::*;

const MS: u64 = 1_000_000;

fn allowed(table: &Table, key: &str, now: u64, rate: &Rate) -> bool {
    table.take(table.hash(key, rate), now, rate, 1).wait.is_zero()
}

/// The keys that are kept.
fn kept(table: &Table, now: u64) -> usize {
    let of = |set: &Mutex<Option<Box<Set>>>| {
        lock(set).as_ref().map_or(0, |set| set.times.iter().filter(|time| **time > now).count())
    };
    table.sets.iter().map(of).sum()
}

#[test]
fn keys_are_told_apart_while_there_is_room() {
    let table = Table::new(10_000);
    let rate = Rate::per_minute(2);
    for round in 0..3 {
        for key in 0..2_500 {
            assert_eq!(allowed(&table, &format!("key:{key}"), MS, &rate), round < 2, "{key}");
        }
    }
    assert_eq!(kept(&table, MS), 2_500);
    // The same text under another rate is another key.
    assert!(allowed(&table, "key:1", MS, &Rate::per_minute(3)));
}

/// What has its whole burst again gives way, and nothing is given up for it.
#[test]
fn what_is_replenished_makes_room() {
    let table = Table::new(100);
    let rate = Rate::per_second(100).burst(1);
    let mut now = 0;
    for key in 0..100_000 {
        now += MS;
        assert!(allowed(&table, &key.to_string(), now, &rate), "{key}");
        assert!(!allowed(&table, &key.to_string(), now, &rate), "{key}");
    }
    assert!(table.sets.iter().all(|set| lock(set).as_ref().is_none_or(|set| set.floor == 0)));
}

/// A flood of other keys does not make a table forget what a key has used, however seldom that is asked for.
#[test]
fn no_flood_of_keys_gives_a_burst_back() {
    let table = Table::new(64);
    let rate = Rate::per_minute(5);
    let mut taken = 0;
    for flood in 0..50_000 {
        // In one moment: nothing comes back.
        if flood % 500 == 0 {
            taken += usize::from(allowed(&table, "limited", MS, &rate));
        }
        allowed(&table, &format!("flood:{flood}"), MS, &rate);
    }
    assert!((1..=5).contains(&taken), "{taken}");
    assert!(kept(&table, MS) <= 64 * 2, "{} kept", kept(&table, MS));
    // What the flood took comes back as any other use does.
    let later = MS + rate.capacity_nanos();
    assert!((0..5).all(|_| allowed(&table, "limited", later, &rate)));
    assert!(!allowed(&table, "limited", later, &rate));
}

/// Keys for which there is no room share what is left; those that have a place keep their own.
#[test]
fn a_full_table_limits_newcomers_together() {
    let table = Table::new(8);
    let rate = Rate::per_minute(10);
    let used_up: Vec<String> = (0..WAYS).map(|key| format!("old:{key}")).collect();
    for key in &used_up {
        assert!((0..10).all(|_| allowed(&table, key, MS, &rate)), "{key}");
    }
    let admitted = (0..1_000).filter(|key| allowed(&table, &format!("new:{key}"), MS, &rate)).count();
    assert_eq!(admitted, 10, "as many as one key");
    let interval = rate.interval_nanos();
    for key in &used_up {
        assert!(!allowed(&table, key, MS, &rate));
        assert!(allowed(&table, key, MS + interval, &rate), "{key} has its own rate all the same");
    }
}

#[test]
fn the_latest_time_of_a_key_is_kept() {
    let table = Table::forgetful(10);
    let key = table.hash("key", &Rate::per_second(1));
    assert_eq!(table.time(key), None);
    table.keep(key, 5 * MS, MS);
    table.keep(key, 4 * MS, MS);
    assert_eq!(table.time(key), Some(5 * MS));
    table.keep(key, 6 * MS, MS);
    assert_eq!(table.time(key), Some(6 * MS));
}

/// What does no harm when it is forgotten is taken from no newcomer.
#[test]
fn a_forgetful_table_lets_newcomers_begin_anew() {
    let table = Table::forgetful(8);
    let rate = Rate::per_minute(10);
    for key in 0..1_000 {
        assert!(allowed(&table, &key.to_string(), MS, &rate), "{key}");
    }
}
