#!/usr/bin/env bash
# foyer 0.22.6, seen 2026-11-29: what a hybrid cache (memory over disk) has for a key after an update, once the new value
# has left memory.
#
# The old value lies on the disk. `insert` replaces it, `get` returns the new value, and then other entries push it out of
# memory. Expected: the new value, or none where the disk does not take it. A cache may forget, but not go back in time.
#
# Seen: the old value again, without an error, where the new one does not go to the disk: because it is larger than a block
# of the disk cache (16 MiB unless configured; 1 MiB here), or because it was inserted for memory alone
# (`Location::InMem`). Both policies of writing do so. With a `remove` before the `insert` there is none.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat > "$dir/Cargo.toml" <<'TOML'
[package]
name = "hybrid"
version = "0.0.0"
edition = "2024"

[dependencies]
foyer = "=0.22.6"
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
TOML
cat > "$dir/src/main.rs" <<'RUST'
use foyer::{
    BlockEngineConfig, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder, HybridCachePolicy,
    HybridCacheProperties, Location,
};

const MIB: usize = 1 << 20;

type Cache = HybridCache<String, Vec<u8>>;

/// Each value consists of its version.
async fn get(cache: &Cache, key: &str) -> String {
    cache.get(key).await.unwrap().map_or("none".to_owned(), |entry| format!("version {}", entry[0]))
}

async fn push_out(cache: &Cache) {
    for other in 0..20 {
        cache.insert(format!("other {other}"), vec![0; MIB / 2]);
    }
    cache.storage().wait().await;
}

#[tokio::main]
async fn main() {
    let root = std::env::args().nth(1).expect("a folder");
    for policy in [HybridCachePolicy::WriteOnEviction, HybridCachePolicy::WriteOnInsertion] {
        println!("{policy:?}");
        let device = FsDeviceBuilder::new(format!("{root}/{policy:?}")).with_capacity(64 * MIB).build().unwrap();
        let cache: Cache = HybridCacheBuilder::new()
            .with_policy(policy)
            .memory(4 * MIB)
            .with_weighter(|_, value: &Vec<u8>| value.len())
            .storage()
            .with_engine_config(BlockEngineConfig::new(device).with_block_size(MIB))
            .build()
            .await
            .unwrap();
        for (key, size) in [("small", 100), ("large", 2 * MIB), ("large, removed first", 2 * MIB), ("for memory", 100)] {
            cache.insert(key.to_owned(), vec![1; 100]);
            push_out(&cache).await;
            if key.contains("removed") {
                cache.remove(key);
            }
            let place = if key == "for memory" { Location::InMem } else { Location::Default };
            let properties = HybridCacheProperties::default().with_location(place);
            cache.insert_with_properties(key.to_owned(), vec![2; size], properties);
            let at_once = get(&cache, key).await;
            push_out(&cache).await;
            assert!(!cache.memory().contains(key));
            println!("  {key}: {at_once}, then {}", get(&cache, key).await);
        }
        cache.close().await.unwrap();
    }
}
RUST
seen=$(cargo run -q --manifest-path "$dir/Cargo.toml" -- "$dir")
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
WriteOnEviction
  small: version 2, then version 2
  large: version 2, then version 1
  large, removed first: version 2, then none
  for memory: version 2, then version 1
WriteOnInsertion
  small: version 2, then version 2
  large: version 2, then version 1
  large, removed first: version 2, then none
  for memory: version 2, then version 1
SEEN
