//! A day in the life of a service, invented: the same on every first start.

use std::{io::ErrorKind, path::Path};

use fastrand::Rng;
use rusqlite::{Connection, Transaction, params};
use tempfile::Builder;

const SCHEMA: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL);
    CREATE TABLE transactions (id INTEGER PRIMARY KEY, user INTEGER NOT NULL, cents INTEGER NOT NULL);
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY, at INTEGER NOT NULL, user INTEGER NOT NULL, route TEXT NOT NULL,
        status INTEGER NOT NULL, ms REAL NOT NULL
    );";

const SECONDS: u32 = 24 * 60 * 60;
const COUNTRIES: [&str; 8] = ["US", "DE", "BR", "IN", "JP", "FR", "NG", "ID"];
const NAMES: [&str; 8] = ["Ada", "Bo", "Chidi", "Dilek", "Emre", "Fatou", "Goran", "Hana"];
/// Each with its typical latency in milliseconds.
const ROUTES: [(&str, f64); 5] =
    [("/home", 12.0), ("/search", 45.0), ("/product", 20.0), ("/cart", 30.0), ("/checkout", 80.0)];

/// Makes the file beside its place, and puts it there when it is complete: a start that is broken off leaves
/// no half of a database, and of two that start at once, one makes it for both.
pub(super) fn create(file: &Path, rows: u32) -> anyhow::Result<()> {
    let directory = file.parent().unwrap_or(Path::new(""));
    let new = Builder::new().prefix("new-").suffix(".sqlite-part").tempfile_in(directory)?;
    fill(&mut Connection::open(new.path())?, rows)?;
    new.as_file().sync_all()?;
    match new.persist_noclobber(file) {
        Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        outcome => Ok(outcome.map(drop)?),
    }
}

/// The connection, if its database has our tables.
pub(super) fn checked(connection: Connection) -> rusqlite::Result<Connection> {
    connection.prepare("SELECT 1 FROM users, transactions, requests")?;
    Ok(connection)
}

/// Of 25 rows, one is a user, four are transactions, and twenty are requests.
fn fill(connection: &mut Connection, rows: u32) -> rusqlite::Result<()> {
    // Should this fail, the file is thrown away: there is nothing to go back to.
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let (users, random) = ((rows / 25).max(1), &mut Rng::with_seed(42));
    // One transaction for all of it: a commit for each row would take minutes.
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    fill_users(&transaction, users, random)?;
    fill_transactions(&transaction, users * 4, users, random)?;
    fill_requests(&transaction, users * 20, users, random)?;
    transaction.commit()
}

fn fill_users(transaction: &Transaction<'_>, count: u32, random: &mut Rng) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare("INSERT INTO users (name, country) VALUES (?1, ?2)")?;
    for number in 1..=count {
        let name = format!("{} {number}", pick(&NAMES, random));
        insert.execute(params![name, pick(&COUNTRIES, random)])?;
    }
    Ok(())
}

fn fill_transactions(
    transaction: &Transaction<'_>,
    count: u32,
    users: u32,
    random: &mut Rng,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare("INSERT INTO transactions (user, cents) VALUES (?1, ?2)")?;
    for _ in 0..count {
        let cents = 500.0 * long_tail(random);
        insert.execute(params![user(users, random), cents as i64])?;
    }
    Ok(())
}

fn fill_requests(
    transaction: &Transaction<'_>,
    count: u32,
    users: u32,
    random: &mut Rng,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO requests (at, user, route, status, ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = transaction.prepare(sql)?;
    for _ in 0..count {
        let (route, typical) = pick(&ROUTES, random);
        let status = if random.u8(..100) == 0 { 500 } else { 200 };
        let ms = typical * long_tail(random);
        insert.execute(params![random.u32(..SECONDS), user(users, random), route, status, ms])?;
    }
    Ok(())
}

fn pick<T: Copy>(from: &[T], random: &mut Rng) -> T {
    from[random.usize(..from.len())]
}

/// A user: some come far more often than others.
fn user(users: u32, random: &mut Rng) -> u32 {
    1 + random.u32(..users).min(random.u32(..users))
}

/// Most are near 1, some are many times that: how long requests take, and how much people spend.
fn long_tail(random: &mut Rng) -> f64 {
    0.5 - random.f64().max(1e-9).ln()
}
