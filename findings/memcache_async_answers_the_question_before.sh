#!/usr/bin/env bash
# memcache-async 0.10.1 and async-memcached 0.9.0 (the crates), with memcached 1.6.18 (Debian's 1.6.18-1+deb12u1), seen 2026-11-30:
# what a client has for the next key after a `get` that was given up.
#
# The server is slow for a moment, and a `get` under `tokio::time::timeout` ends with a time-out: its future is dropped, the
# client stays. Its answer comes later. Expected of the next `get`: its own value, or an error, as from drivers of databases
# and from async-memcached, whose connection is closed from then on. In this protocol each answer names its key.
#
# Seen: memcache-async gives the value of the question before, as `Ok`, and goes on so: each `get` is answered with what the
# one before it had asked for, as long as the connection lives. The name in the answer is not looked at.
set -euo pipefail
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
chmod 755 "$dir"
(cd "$dir" && apt-get -q download memcached=1.6.18-1+deb12u1 libevent-2.1-7 libsasl2-2 >/dev/null 2>&1)
for package in "$dir"/*.deb; do dpkg -x "$package" "$dir"; done
mkdir "$dir/src"
cat > "$dir/Cargo.toml" <<'TOML'
[package]
name = "seen"
version = "0.0.0"
edition = "2024"

[dependencies]
async-memcached = "=0.9.0"
memcache-async = "=0.10.1"
tokio = { version = "=1.54.1", features = ["macros", "net", "rt", "time"] }
tokio-util = { version = "=0.7.20", features = ["compat"] }
TOML
cat > "$dir/src/main.rs" <<'RUST'
use std::{process::Command, time::Duration};

use async_memcached::AsciiProtocol as _;
use memcache_async::ascii::Protocol;
use tokio::{net::TcpStream, time::timeout};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

/// Runs a future while the server stands still, for less time than it would take.
async fn given_up(server: &str, future: impl Future) {
    let send = |signal| assert!(Command::new("kill").args([signal, server]).status().unwrap().success());
    send("-STOP");
    assert!(timeout(Duration::from_millis(300), future).await.is_err());
    send("-CONT");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let [address, server] = std::env::args().skip(1).collect::<Vec<_>>().try_into().unwrap();
    let mut client = async_memcached::Client::new(format!("tcp://{address}")).await.unwrap();
    for (key, value) in [("user:1", "Ada"), ("user:2", "Bob"), ("user:3", "Cid")] {
        client.set(key, value, None, None).await.unwrap();
    }
    given_up(&server, client.get("user:1")).await;
    println!("async-memcached, user:2: {:?}", client.get("user:2").await.map(|value| value.is_some()));

    let mut client = Protocol::new(TcpStream::connect(&address).await.unwrap().compat());
    given_up(&server, client.get("user:1")).await;
    for key in ["user:2", "user:3", "user:1"] {
        let value = client.get(key).await.map(|value| String::from_utf8(value).unwrap());
        println!("memcache-async, {key}: {value:?}");
    }
}
RUST
CARGO_TARGET_DIR="$dir/target" cargo build -q --manifest-path "$dir/Cargo.toml"
port=$((20000 + RANDOM % 10000))
user=(); [ "$(id -u)" != 0 ] || user=(-u nobody)
LD_LIBRARY_PATH=$(dirname "$(find "$dir" -name 'libevent-2.1.so.7' -print -quit)") \
    "$dir/usr/bin/memcached" -l 127.0.0.1 -p "$port" -U 0 "${user[@]}" &
server=$!
until (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done
"$dir/target/debug/seen" "127.0.0.1:$port" "$server" | tee "$dir/seen"
diff "$dir/seen" - <<'SEEN'
async-memcached, user:2: Err(ConnectionClosed)
memcache-async, user:2: Ok("Ada")
memcache-async, user:3: Ok("Bob")
memcache-async, user:1: Ok("Cid")
SEEN
