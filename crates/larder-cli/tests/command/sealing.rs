//! Entries that are sealed, and names that are hashed: what is seen with the keys, and what is said without them.

use std::process::Output;

use larder::{RedisCache, SealKey};
use serde_json::Value;

use crate::world::World;

const SEAL: &str = "3f5e0c7b19d2a4886cf1e0b7d3a5924e7c18f6a0b2d4e6987a5b3c1d0e2f4a68";
const NAME: &str = "91c4d7e0a3b6f2518d0c9e7b4a1f6d3825e8c0b7f49a6d1320bcef5478a91d06";

fn key(text: &str) -> SealKey {
    SealKey::from_hex(text).expect("it is one")
}

fn sealed(world: &World) -> RedisCache {
    world.block_on(world.builder().seal(key(SEAL)).connect()).expect("it connects")
}

fn hashed(world: &World) -> RedisCache {
    let builder = world.builder().seal(key(SEAL)).hash_keys(key(NAME));
    world.block_on(builder.connect()).expect("it connects")
}

fn run(world: &World, keys: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = world.command(arguments);
    command.envs(keys.iter().copied()).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn sealed_entries_are_shown_to_who_has_the_key() {
    let world = World::single();
    world.fill(&sealed(&world), 0..3);
    let keys = [("LARDER_SEAL_KEYS", SEAL)];
    let shown = &json(&run(&world, &keys, &["get", "user:1", "--json"]))[0];
    assert_eq!((&shown["state"], &shown["value"]["id"]), (&"valid".into(), &1.into()), "{shown}");
    let listed = json(&run(&world, &keys, &["keys", "user:", "--json"]));
    assert_eq!(listed.iter().filter(|entry| entry["state"] == "valid").count(), 3, "{listed:?}");

    // Without, and with another one, that is said: nothing is taken for useless.
    for (keys, reason) in
        [(&[][..], "sealed: set LARDER_SEAL_KEYS"), (&[("LARDER_SEAL_KEYS", NAME)], "unknown_key")]
    {
        let output = run(&world, keys, &["get", "user:1"]);
        assert!(text(&output.stdout).contains(reason), "{output:?}");
        assert!(!text(&output.stdout).contains("\"id\""));
        let trimmed = &json(&run(&world, keys, &["trim", "--json"]))[0];
        assert_eq!((&trimmed["looked_at"], &trimmed["entries"]), (&3.into(), &0.into()), "{trimmed}");
    }
    let plain = world.cache();
    world.fill(&plain, 7..8);
    let output = run(&world, &keys, &["explain", "user:7"]);
    assert!(text(&output.stdout).contains("unsealed"), "{output:?}");

    let bad = run(&world, &[("LARDER_SEAL_KEYS", &SEAL[1..])], &["status"]);
    assert_eq!(bad.status.code(), Some(2));
    let said = text(&bad.stderr);
    assert!(
        said.contains("LARDER_SEAL_KEYS") && said.contains("openssl") && !said.contains(&SEAL[2..40]),
        "{said}"
    );
}

#[test]
fn hashed_names_are_found_by_who_has_the_key_and_cannot_be_listed_by_a_prefix() {
    let world = World::single();
    let cache = hashed(&world);
    world.fill(&cache, 0..3);
    let keys = [("LARDER_SEAL_KEYS", SEAL), ("LARDER_NAME_KEY", NAME)];
    let shown = &json(&run(&world, &keys, &["get", "user:1", "--json"]))[0];
    assert_eq!((&shown["state"], &shown["value"]["id"]), (&"valid".into(), &1.into()), "{shown}");
    let listed = json(&run(&world, &keys, &["keys", "--json"]));
    let is_hash = |entry: &&Value| {
        entry["state"] == "valid" && entry["key"].as_str().is_some_and(|key| key.starts_with('#'))
    };
    assert_eq!(listed.iter().filter(is_hash).count(), 3, "{listed:?}");

    let refused = run(&world, &keys, &["keys", "user:"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("keys are hashed"), "{refused:?}");
    for arguments in [&["get", "user:1"][..], &["explain", "user:1"], &["keys", "user:"]] {
        let without = run(&world, &[], arguments);
        assert!(text(&without.stderr).contains("set LARDER_NAME_KEY"), "{without:?}");
    }

    // With the keys and without: what is cleared cannot be found to be deleted, and that is said.
    for keys in [&keys[..], &[]] {
        let looked = run(&world, keys, &["clear", "--namespace", "user", "--dry-run"]);
        assert_eq!(looked.status.code(), Some(2));
        assert!(text(&looked.stderr).contains("names of keys are hashed"), "{looked:?}");
        let cleared = run(&world, keys, &["clear", "--namespace", "other", "--yes", "--json"]);
        assert_eq!(json(&cleared)[0]["deleted"], 0);
        assert!(text(&cleared.stderr).contains("larder trim"), "{cleared:?}");
    }
    assert!(text(&run(&world, &[], &["clear", "--dry-run"]).stdout).starts_with("3 entries would be"));

    let invalidated = run(&world, &keys, &["invalidate", "user:1"]);
    assert!(invalidated.status.success(), "{invalidated:?}");
    assert_eq!(run(&world, &keys, &["get", "user:1"]).status.code(), Some(1), "it is deleted");
}
