#!/usr/bin/env bash
# bytesize 2.7.0 with serde_json 1.0 and rmp-serde 1.3, seen 2026-11-28: one type, two formats, and only one of them
# brings the number back.
#
# `ByteSize(1_234_567)` is a newtype around a u64, and its serde feature sounds like an ordinary derive. In a format
# for people it writes the text of its `Display`, which has one digit after the point: 1,234,567 bytes are "1.2 MiB",
# and are read back as 1,258,291 bytes, without an error. In MessagePack (not for people) it is the exact number.
# So a quota that goes through a JSON cache, queue or column grows by 2 %.
#
# serde's `flatten` beside it: `HashMap<u8, u8>` is a JSON object whose keys are read as numbers, until the same map
# stands in a flattened struct. Then its own output is refused: the keys were buffered as texts.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat > "$dir/Cargo.toml" <<'TOML'
[package]
name = "by-format"
version = "0.0.0"
edition = "2024"

[dependencies]
bytesize = { version = "=2.7.0", features = ["serde"] }
rmp-serde = "=1.3.1"
serde = { version = "1", features = ["derive"] }
serde_json = "1"
TOML
cat > "$dir/src/main.rs" <<'RUST'
use std::collections::HashMap;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Counts {
    by_hour: HashMap<u8, u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    #[serde(flatten)]
    counts: Counts,
}

fn main() {
    let size = ByteSize(1_234_567);
    let text = serde_json::to_string(&size).unwrap();
    let back: ByteSize = serde_json::from_str(&text).unwrap();
    println!("JSON: {} bytes are {text}, and come back as {}", size.0, back.0);
    let bytes = rmp_serde::to_vec(&size).unwrap();
    let back: ByteSize = rmp_serde::from_slice(&bytes).unwrap();
    println!("MessagePack: {} bytes come back as {}", size.0, back.0);

    let counts = Counts { by_hour: HashMap::from([(1, 2)]) };
    let text = serde_json::to_string(&counts).unwrap();
    println!("plain: {text} is read: {}", serde_json::from_str::<Counts>(&text).is_ok());
    let text = serde_json::to_string(&Report { counts }).unwrap();
    println!("flattened: {text} is read: {:?}", serde_json::from_str::<Report>(&text).map_err(|why| why.to_string()));
}
RUST
seen=$(cd "$dir" && cargo run --quiet)
printf '%s\n' "$seen"
diff <(printf '%s\n' "$seen") - <<'SEEN'
JSON: 1234567 bytes are "1.2 MiB", and come back as 1258291
MessagePack: 1234567 bytes come back as 1234567
plain: {"by_hour":{"1":2}} is read: true
flattened: {"by_hour":{"1":2}} is read: Err("invalid type: string \"1\", expected u8 at line 1 column 19")
SEEN
