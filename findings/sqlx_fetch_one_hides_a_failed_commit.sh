#!/usr/bin/env bash
# sqlx 0.8.6 on SQLite, seen 2026-11-30: what `fetch_one` and `fetch_optional` say of an `INSERT … RETURNING` whose commit fails.
#
# Outside of a transaction SQLite commits a statement when it ends, behind its last row. The commit may fail: on a full disk, or
# as here at a reference that is looked at last. Expected: an error, as from `execute` and `fetch_all`.
#
# Seen: the row, as if it were stored, and an empty table: the statement is reset after its first row, and what SQLite says to
# that (the commit's error) is dropped.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat > "$dir/Cargo.toml" <<'TOML'
[package]
name = "commit"
version = "0.0.0"
edition = "2024"

[dependencies]
sqlx = { version = "=0.8.6", default-features = false, features = ["runtime-tokio", "sqlite"] }
tokio = { version = "1", features = ["macros", "rt"] }
TOML
cat > "$dir/src/main.rs" <<'RUST'
use sqlx::{Connection, Executor, Row, SqliteConnection};

const INSERT: &str = "INSERT INTO child (name) VALUES ('a') RETURNING name";

#[tokio::main(flavor = "current_thread")]
async fn main() -> sqlx::Result<()> {
    let mut link = SqliteConnection::connect("sqlite::memory:").await?;
    link.execute(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (name TEXT, parent INTEGER DEFAULT 1
           REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);",
    )
    .await?;
    let execute = link.execute(INSERT).await.is_err();
    let all = link.fetch_all(INSERT).await.is_err();
    let one = link.fetch_one(INSERT).await.map(|row| row.get::<String, _>(0));
    let optional = link.fetch_optional(INSERT).await.map(|row| row.map(|row| row.get::<String, _>(0)));
    let stored: i64 = link.fetch_one("SELECT count(*) FROM child").await?.get(0);
    println!("execute fails: {execute}, fetch_all fails: {all}");
    println!("fetch_one: {:?}, fetch_optional: {:?}, rows: {stored}", one.ok(), optional.ok());
    Ok(())
}
RUST
seen=$(cargo run --quiet --manifest-path "$dir/Cargo.toml")
echo "$seen"
[[ $seen == 'execute fails: true, fetch_all fails: true
fetch_one: Some("a"), fetch_optional: Some(Some("a")), rows: 0' ]]
