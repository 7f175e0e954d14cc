//! A reader beside the writer of a table, which has one set or two, of two ways each.

use std::sync::Arc;

use loom::thread;

use super::*;
use crate::epoch::model::check;

/// A table, and how many changes are done: a reader that sees how many has to see them.
struct World {
    table: Table,
    done: AtomicU64,
}

type Change = (Place, u64);

fn scope(sets: [usize; 2], name: u32, is_wide: bool) -> Place {
    Place { sets, tag: Tag::new(name << 2, is_wide) }
}

/// A reader finds no scope less changed than it has to, whatever the writer does meanwhile to a table that has the
/// changes `before`. Once the writer is done, the changes `exact` are remembered exactly.
fn check_readers(sets: u32, before: &[Change], changes: &[Change], exact: &[Change]) {
    for &(place, _) in before.iter().chain(changes) {
        let [before, changes, exact] = [before, changes, exact].map(<[Change]>::to_vec);
        check(move || {
            let world = Arc::new(World { table: Table::new(sets), done: AtomicU64::new(0) });
            before.iter().for_each(|(place, number)| _ = world.table.raise(*place, *number, true));
            let writer = thread::spawn({
                let (world, changes) = (world.clone(), changes.clone());
                move || {
                    for (done, (place, number)) in (1..).zip(changes) {
                        world.table.raise(place, number, true);
                        world.done.store(done, Ordering::Release);
                    }
                }
            });
            let done = world.done.load(Ordering::Acquire) as usize;
            let seen = before.iter().chain(&changes[..done]).filter(|(changed, _)| *changed == place);
            let number = seen.map(|(_, number)| *number).max().unwrap_or(0);
            assert!(number == 0 || !world.table.unchanged(place, number - 1), "a change is hidden");
            writer.join().unwrap();
            for (place, number) in &exact {
                assert_eq!(world.table.last(*place), *number);
            }
        });
    }
}

/// Each takes the way of the one that changed longest ago.
#[test]
fn loom_a_scope_that_is_forgotten_and_comes_back() {
    let [a, b, c] = [1, 2, 3].map(|name| scope([0, 0], name, false));
    check_readers(1, &[(a, 1), (b, 2)], &[(c, 3), (a, 4), (b, 5)], &[(a, 4), (b, 5)]);
}

/// It is forgotten by one of its sets, and comes back in the other one, where the way had an older number than its own.
#[test]
fn loom_a_scope_that_comes_back_elsewhere() {
    let [a, b] = [1, 2].map(|name| scope([0, 0], name, false));
    let [d, e] = [4, 5].map(|name| scope([1, 1], name, false));
    let c = scope([0, 1], 3, false);
    check_readers(2, &[(a, 1), (b, 2), (c, 3), (d, 4)], &[(e, 5), (c, 6)], &[(b, 2), (d, 4), (e, 5), (c, 6)]);
}

/// A scope of the other kind takes a way, and has a lower number than the one that had it: a record that is read late.
#[test]
fn loom_a_way_that_goes_to_the_other_kind() {
    let [a, b] = [1, 2].map(|name| scope([0, 0], name, true));
    let [c, d] = [3, 4].map(|name| scope([0, 0], name, false));
    check_readers(1, &[(a, 11), (b, 12)], &[(c, 5), (d, 13)], &[(a, 11), (b, 12), (d, 13)]);
    check_readers(1, &[(a, 11), (b, 12)], &[(c, 5), (c, 7)], &[(a, 11), (b, 12), (c, 7)]);
    check_readers(1, &[(a, 11), (b, 12)], &[(c, 5), (c, 14), (a, 15)], &[(c, 14), (a, 15)]);
}

/// A record that is older than all that its sets remember, and the newest of the same scope.
#[test]
fn loom_a_record_that_is_forgotten_at_once() {
    let [a, b, c] = [1, 2, 3].map(|name| scope([0, 0], name, false));
    check_readers(1, &[(a, 11), (b, 12)], &[(c, 5), (c, 13), (c, 4)], &[(b, 12), (c, 13)]);
}
