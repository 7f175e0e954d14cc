use std::{
    collections::{HashMap, HashSet},
    sync::atomic::AtomicBool,
    thread,
    time::Duration,
};

use foldhash::fast::FixedState;
use std::hash::BuildHasher;

use super::{set::WAYS, *};
use crate::{
    clock::Clock,
    entry::{DependencySet, Entry},
    epoch::{Epochs, LocalOrder},
    policy::Policy,
    scope::ScopeSet,
    value::ValueType,
};

/// Makes entries, and looks at tables.
struct World {
    epochs: Epochs,
    clock: Clock,
}

fn hash(key: &str) -> u64 {
    FixedState::default().hash_one(key)
}

impl World {
    fn new() -> Self {
        Self { epochs: Epochs::new(LocalOrder::new().into(), 1 << 10), clock: Clock::default() }
    }

    fn entry(&self, key: &str, value: u64, ttl: Duration) -> Arc<Stored> {
        self.entry_at(hash(key), key, value, ttl)
    }

    fn entry_at(&self, hash: u64, key: &str, value: u64, ttl: Duration) -> Arc<Stored> {
        let cover = DependencySet {
            since: self.epochs.begin(),
            announcement: None,
            scopes: ScopeSet::default(),
            foreign_dependencies: Vec::new(),
            marked: None,
        };
        let policy = Policy::ttl(ttl);
        Entry::new(
            (key.into(), hash),
            (value, ValueType::none(), Duration::ZERO),
            (self.clock.now(), ttl),
            (&policy, None),
            cover,
        )
        .0
    }

    fn keep(&self, table: &Table, id: u64, weight: u32) -> Dropped {
        table.insert(&self.entry(&id.to_string(), id, LONG), weight)
    }

    /// A read through the cache: whether it was a hit.
    fn read(&self, table: &Table, id: u64) -> bool {
        let key = id.to_string();
        let found = table.get(hash(&key), key.as_bytes());
        if let Some(found) = &found {
            assert_eq!(found.value::<u64>(), Some(&id), "of another key");
        } else {
            drop(self.keep(table, id, 1));
        }
        found.is_some()
    }
}

const LONG: Duration = Duration::from_secs(3_600);

fn table(capacity: u64) -> Table {
    Table::new(capacity, Eviction::TinyLfu, false)
}

fn value(table: &Table, key: &str) -> Option<u64> {
    table.get(hash(key), key.as_bytes())?.value::<u64>().copied()
}

/// All that is in a table, which nothing else uses: no key twice, and each where it is looked for.
fn check(table: &Table) -> HashMap<String, Arc<Stored>> {
    let count = table.sets.count();
    let mut all = HashMap::new();
    for index in 0..count {
        for (_, entry) in table.sets.at(index).entries() {
            let is_one_of_its_sets =
                |picks: &u64| std::ptr::eq(table.sets.of(*picks, count), table.sets.at(index));
            assert!([entry.hash, second(entry.hash)].iter().any(is_one_of_its_sets), "in the wrong set");
            assert!(all.insert(entry.key.to_string(), entry).is_none(), "a key is there twice");
        }
    }
    assert_eq!(all.len(), table.len());
    all
}

/// The two sets of all of these are one set, until there are more than sixteen.
#[test]
fn a_small_table_that_has_room_keeps_all() {
    let (world, table) = (World::new(), table(1_000));
    for id in 0..40 {
        let entry = world.entry_at((id << 4) | (id << 28), &id.to_string(), id, LONG);
        assert_eq!(table.insert(&entry, 1).evicted().count(), 0, "{id}");
    }
    assert_eq!((table.len(), check(&table).len()), (40, 40));
}

#[test]
fn entries_are_found_replaced_and_removed_while_it_grows() {
    let (world, table) = (World::new(), table(50_000));
    let mut evicted = 0;
    for id in 0..50_000 {
        evicted += world.keep(&table, id, 1).evicted().count() as u64;
        if id % 3 == 0 {
            let key = (id / 2).to_string();
            let dropped = table.insert(&world.entry(&key, id / 2, LONG), 1);
            assert_eq!(dropped.evicted().count(), 0, "it is replaced");
        }
    }
    assert_eq!(evicted, 0, "there is room for all");
    let all = check(&table);
    assert_eq!(all.len() as u64, 50_000 - evicted);
    assert!(table.sets.count() * Sets::LOAD >= 49_000, "it has grown");
    for (key, entry) in all {
        assert_eq!(value(&table, &key), entry.value().copied());
        assert_eq!(table.remove(hash(&key), &key).all().count(), 1);
        assert_eq!(value(&table, &key), None);
    }
    assert_eq!((table.len(), table.weight(), check(&table).len()), (0, 0, 0));
}

#[test]
fn keys_of_one_hash_are_told_apart() {
    let (world, table) = (World::new(), table(100));
    for n in 0..WAYS as u64 {
        drop(table.insert(&world.entry_at(7, &n.to_string(), n, LONG), 1));
    }
    for n in 0..WAYS as u64 {
        let found = table.get(7, n.to_string().as_bytes()).expect("they fit in one set");
        assert_eq!(found.value::<u64>(), Some(&n));
    }
    // All hashes equal is the worst there is: two sets are all they have.
    for n in 0..1_000 {
        drop(table.insert(&world.entry_at(7, &n.to_string(), n, LONG), 1));
        assert!(table.get(7, n.to_string().as_bytes()).is_some());
    }
    assert_eq!(check(&table).len(), 2 * WAYS);
}

#[test]
fn the_smallest_tables_keep_what_they_may() {
    let world = World::new();
    for eviction in [Eviction::TinyLfu, Eviction::Lru] {
        for capacity in [1, 2, 3, 10, 100] {
            let table = Table::new(capacity, eviction, false);
            for id in 0..1_000 {
                drop(world.keep(&table, id, 1));
                assert_eq!(value(&table, &id.to_string()), Some(id), "what was stored last is there");
                assert_eq!(table.len() as u64, capacity.min(id + 1));
            }
            check(&table);
        }
    }
}

#[test]
fn the_least_recently_used_goes_first() {
    let world = World::new();
    let table = Table::new(10, Eviction::Lru, false);
    (0..10).for_each(|id| drop(world.keep(&table, id, 1)));
    for id in 10..1_000 {
        assert_eq!(value(&table, "0"), Some(0), "it is used before {id}");
        drop(world.keep(&table, id, 1));
        let left = check(&table);
        assert!((id - 6..=id).all(|id| left.contains_key(&*id.to_string())), "{:?}", left.keys());
    }
}

#[test]
fn an_entry_of_its_own_time_outlasts_a_scan() {
    let (world, table) = (World::new(), table(1_000));
    for _ in 0..4 {
        (0..800).for_each(|id| _ = world.read(&table, id));
    }
    (10_000..40_000).for_each(|id| _ = world.read(&table, id));
    let left = (0..800).filter(|id| value(&table, &id.to_string()).is_some()).count();
    assert!(left > 760, "{left} of 800 are left");
    // And what was used once upon a time does not stay for ever.
    let misses = |_| (50_000..50_900).filter(|&id| !world.read(&table, id)).count();
    let misses: Vec<_> = (0..100).map(misses).collect();
    assert!(misses[90..].iter().sum::<usize>() < 10 * 45, "{misses:?}");
}

#[test]
fn weights_are_within_the_capacity_at_every_moment() {
    let world = World::new();
    let table = Table::new(10_000, Eviction::TinyLfu, true);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let id = random.u64(..500);
        let weight = random.choice([0, 1, 10, 100, 5_000, 10_000]).expect("there are some");
        drop(world.keep(&table, id, weight));
        assert!(table.weight() <= 10_000);
        assert!(value(&table, &id.to_string()).is_some());
    }
    // Too heavy: and what was there under its key is not what it was replaced by.
    drop(world.keep(&table, 1, 1));
    drop(world.keep(&table, 1, 10_001));
    assert_eq!(value(&table, "1"), None);
    for key in check(&table).keys() {
        drop(table.remove(hash(key), key));
    }
    assert_eq!((table.weight(), table.len()), (0, 0), "every weight was remembered");
}

/// Storing it is one step then, which may happen under a lock.
#[test]
fn room_for_what_is_heavy_is_made_before_it_is_stored() {
    let world = World::new();
    let table = Table::new(10_000, Eviction::TinyLfu, true);
    let ahead = |id: u64, weight| table.make_room_ahead(hash(&id.to_string()), &id.to_string(), weight);
    for id in 0..20_000 {
        drop(world.keep(&table, id, 1));
    }
    assert!(
        ahead(0, 10).is_none() && ahead(0, 10_001).is_none(),
        "not for light ones, and for none too heavy"
    );
    let made = ahead(30_000, 9_000).unwrap();
    assert!(made.evicted().count() > 8_000 && table.weight() <= 1_000);
    drop(made);
    assert!(world.keep(&table, 30_000, 9_000).evicted().next().is_none());
    // In its own place: what it takes the place of needs no more room.
    assert!(ahead(30_000, 9_000).unwrap().evicted().next().is_none());
    drop(ahead(30_000, 9_500).unwrap());
    assert!(world.keep(&table, 30_000, 9_500).evicted().next().is_none());
    assert!(value(&table, "30000").is_some() && table.weight() <= 10_000);
}

#[test]
fn what_is_over_is_swept_soon() {
    let (world, table) = (World::new(), table(100_000));
    for id in 0..50_000 {
        let ttl = if id % 10 == 0 { LONG } else { LONG / 2 };
        drop(table.insert(&world.entry(&id.to_string(), id, ttl), 1));
    }
    let is_over = |stored: &Stored| stored.is_over(world.clock.now(), &world.epochs);
    assert!((0..1_000).all(|_| table.sweep(is_over, |_| {}).all().next().is_none()));
    world.clock.advance(LONG * 3 / 4);
    // One sixteenth of the sets, and a few calls that happen on a set where nothing is over.
    (0..table.sets.count() / 10).for_each(|_| drop(table.sweep(is_over, |_| {})));
    assert!(check(&table).values().all(|entry| !is_over(entry)), "{} are left", table.len());
    assert!(table.len() > 4_950);
}

/// A read that begins after a replacement must not find what was there before, whatever grows and goes meanwhile.
#[test]
fn no_replacement_is_lost() {
    const KEYS: u64 = 64;
    let world = World::new();
    // Small enough for evictions, and it begins small: sets are split all the while.
    for round in 0..8 {
        let table = Table::new(if round % 2 == 0 { 40_000 } else { 400 }, Eviction::TinyLfu, round % 4 > 1);
        let newest: Vec<AtomicU64> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (world, table, newest, over) = (&world, &table, &newest, &over);
            // Each key has one thread that writes it.
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    scope.spawn(move || {
                        let mut random = fastrand::Rng::with_seed(writer);
                        for n in 1..20_000 {
                            let id = random.u64(..KEYS / 4) * 4 + writer;
                            let key = format!("key:{id}");
                            drop(table.insert(&world.entry(&key, n, LONG), random.u32(1..3)));
                            newest[id as usize].store(n, Ordering::SeqCst);
                            match n % 16 {
                                0 => drop(table.remove(hash(&key), &key)),
                                1 => drop(table.sweep(|entry| entry.hash % 5 == 0, |_| {})),
                                _ => drop(world.keep(table, 1_000 + n * 4 + writer, 1)),
                            }
                        }
                    })
                })
                .collect();
            for reader in 0..2 {
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(reader);
                    while !over.load(Ordering::Relaxed) {
                        let id = random.u64(..KEYS);
                        let before = newest[id as usize].load(Ordering::SeqCst);
                        if let Some(found) = value(table, &format!("key:{id}")) {
                            assert!(found >= before, "{found} was replaced by {before}");
                        }
                    }
                });
            }
            let outcomes: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            over.store(true, Ordering::Relaxed);
            assert!(outcomes.iter().all(Result::is_ok));
        });
        check(&table);
        assert!(table.weight() <= 40_000);
    }
}

/// Nothing is missed while its set is split.
#[test]
fn what_moves_is_found() {
    const KEYS: u64 = 60;
    let world = World::new();
    for _ in 0..300 {
        let table = table(100_000);
        (0..KEYS).for_each(|id| drop(world.keep(&table, id, 1)));
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (world, table, over) = (&world, &table, &over);
            scope.spawn(move || {
                (KEYS..600).for_each(|id| drop(world.keep(table, id, 1)));
                over.store(true, Ordering::Relaxed);
            });
            let keys: Vec<_> = (0..KEYS).map(|id| (id, id.to_string())).collect();
            while !over.load(Ordering::Relaxed) {
                keys.iter().for_each(|(id, key)| assert_eq!(value(table, key), Some(*id)));
            }
        });
    }
}

#[test]
fn many_writers_keep_the_bounds() {
    let world = World::new();
    for weighs in [false, true] {
        let table = Table::new(1_000, Eviction::TinyLfu, weighs);
        thread::scope(|scope| {
            for writer in 0..4 {
                let (world, table) = (&world, &table);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(writer);
                    for _ in 0..20_000 {
                        drop(world.keep(table, random.u64(..3_000), random.u32(1..300)));
                        // What is about to be stored by four threads is counted too.
                        assert!(table.weight() <= 1_000 + 4 * 300);
                    }
                });
            }
        });
        let left: HashSet<_> = check(&table).into_keys().collect();
        assert!(table.weight() <= 1_000);
        assert!(left.len() > if weighs { 2 } else { 990 }, "{} are left", left.len());
    }
}

/// One thread splits sets for all, at its own pace: who stores faster than that finds room all the same.
#[test]
fn nothing_goes_while_there_is_room() {
    const EACH: u64 = 4_000;
    let (world, table) = (World::new(), table(1 << 20));
    let stored = AtomicBool::new(false);
    let evicted = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stored.load(Ordering::Relaxed) {
                let _slow = lock(&table.growing);
                thread::sleep(Duration::from_micros(500));
            }
        });
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (world, table, evicted) = (&world, &table, &evicted);
                scope.spawn(move || {
                    for id in writer * EACH..(writer + 1) * EACH {
                        evicted
                            .fetch_add(world.keep(table, id, 1).evicted().count() as u64, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        stored.store(true, Ordering::Relaxed);
    });
    let evicted = evicted.into_inner();
    assert!(evicted < 4 * EACH / 500, "{evicted} of {}", 4 * EACH);
}

#[test]
fn what_began_earlier_takes_no_place() {
    let world = World::new();
    for (table, weight) in [(table(1_000), 1), (Table::new(1_000, Eviction::Lru, true), 7)] {
        let old = world.entry("a", 1, LONG);
        world.epochs.apply(&[], []);
        drop(table.insert(&world.entry("a", 2, LONG), weight));
        drop(table.insert(&old, weight + 1));
        assert_eq!(value(&table, "a"), Some(2));
        assert_eq!((table.len(), table.weight()), (1, weight.into()));
        drop(table.insert(&world.entry("a", 3, LONG), weight));
        assert_eq!(value(&table, "a"), Some(3), "what began at the same time does");
    }
}
