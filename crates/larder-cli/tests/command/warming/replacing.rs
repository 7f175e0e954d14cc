//! `warm --replace`: what an earlier run stored is corrected, and nothing else is replaced.

use larder::{CacheExt, RedisCache};

use super::{Lines, counted, found, tip, users, warms};
use crate::world::{World, policy, user};

#[test]
fn a_corrected_file_replaces_what_an_earlier_run_stored() {
    let world = World::single();
    let cache = world.cache();
    let before = tip(&world);
    let line = |id: u64, rest: &str| {
        format!("{{\"key\":\"user:{id}\",\"value\":{{\"id\":{id}{rest}}},\"ttl\":300}}\n")
    };
    let lines = Lines::of(&(line(1, "") + &line(2, r#","name":"Two""#)));
    let warm = |options: &[&str], expected: &[(&str, u64)]| {
        counted(&warms(&world, &lines.path(), options, 0), expected);
    };
    warm(&["--as-of", &before], &[("stored", 2)]);
    assert_eq!(found(&world, &cache, "user:1"), None);
    // A process' own entry, of a later epoch and of an earlier one.
    world.block_on(cache.insert("user:3", &user(3), policy())).expect("it is stored");
    let own = tip(&world);
    world.block_on(cache.invalidate("other:1"));

    // More than one batch, whose last line has the key of the first.
    let corrected: String = (1..4).map(|id| line(id, r#","name":"Corrected""#)).collect();
    lines.write(&(corrected + &users(10..600) + &line(1, r#","name":"Last""#)));
    warm(&["--as-of", &own], &[("stored", 590), ("there", 4)]);
    assert_eq!(found(&world, &world.cache(), "user:1"), None);
    warm(&["--as-of", &own, "--replace", "--dry-run"], &[("stored", 593), ("there", 1)]);
    warm(&["--as-of", &own, "--replace"], &[("stored", 592), ("there", 2)]);
    let names = |cache: &RedisCache| {
        [1, 2, 3].map(|id| found(&world, cache, &format!("user:{id}")).map(|user| user.name))
    };
    let corrected = || Some("Corrected".to_owned());
    assert_eq!(names(&world.cache()), [corrected(), corrected(), Some(user(3).name)]);
    assert_eq!(found(&world, &cache, "user:1").map(|user| user.name), corrected());

    // Of a schema version, too.
    lines.write(&line(5, ""));
    warm(&["--as-of", &own, "--schema", "70000"], &[("stored", 1)]);
    warm(&["--as-of", &own, "--schema", "70000", "--replace"], &[("stored", 1), ("there", 0)]);

    // As of before that, nothing of a later epoch is replaced.
    lines.write(&line(1, r#","name":"Older""#));
    warm(&["--as-of", &before, "--replace", "--dry-run"], &[("stored", 0), ("there", 1)]);
    warm(&["--as-of", &before, "--replace"], &[("stored", 0), ("there", 1)]);
    assert_eq!(names(&world.cache())[0], corrected());
}
