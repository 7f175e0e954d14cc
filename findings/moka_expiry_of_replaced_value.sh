#!/usr/bin/env bash
# moka 0.12.16, seen 2026-11-29: how long a value lives that replaces another one, where each value has a lifetime of its
# own (`Expiry` with `expire_after_create`, the one method that such a use needs at first sight).
#
# Expected: a value that is inserted lives as long as `expire_after_create` says of it, as it does under `time_to_live`,
# whether or not there was a value under its key.
#
# Seen: the new value inherits what was left of the old one's lifetime. One of 300 ms that replaces one of an hour lives on
# for that hour; one of an hour that replaces one of 300 ms is gone after 300 ms. `expire_after_update` has to be written
# too: its default keeps the time that was left. After an `invalidate`, or after the old value's end, the new value lives
# as long as it says.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat > "$dir/Cargo.toml" <<'TOML'
[package]
name = "expiry"
version = "0.0.0"
edition = "2024"

[dependencies]
moka = { version = "=0.12.16", features = ["sync"] }
TOML
cat > "$dir/src/main.rs" <<'RUST'
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use moka::{Expiry, sync::Cache};

/// Each value is its own lifetime.
struct OwnLife;

impl Expiry<&'static str, Duration> for OwnLife {
    fn expire_after_create(&self, _: &&'static str, life: &Duration, _: Instant) -> Option<Duration> {
        Some(*life)
    }
}

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(3_600);

fn main() {
    let cache = Cache::builder().max_capacity(10).expire_after(OwnLife).build();
    cache.insert("an hour over 300 ms", SHORT);
    cache.insert("an hour over 300 ms", LONG);
    cache.insert("300 ms over an hour", LONG);
    cache.insert("300 ms over an hour", SHORT);
    cache.insert("300 ms, invalidated, an hour", SHORT);
    cache.invalidate("300 ms, invalidated, an hour");
    cache.insert("300 ms, invalidated, an hour", LONG);
    cache.insert("an hour", LONG);
    cache.insert("300 ms", SHORT);
    sleep(SHORT * 3);
    for key in
        ["an hour", "300 ms", "an hour over 300 ms", "300 ms over an hour", "300 ms, invalidated, an hour"]
    {
        println!("{key}: {}", if cache.get(key).is_some() { "there" } else { "gone" });
    }
}
RUST
seen=$(cargo run -q --manifest-path "$dir/Cargo.toml")
expected='an hour: there
300 ms: gone
an hour over 300 ms: gone
300 ms over an hour: there
300 ms, invalidated, an hour: there'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed; on 2026-11-29 it was:"; printf '%s\n' "$expected"; exit 1; }
