//! SQLite.

mod entries;
mod file;
mod log;
mod statements;

use std::{sync::Arc, time::Duration};

use larder::{Result, internal::shared::refused_setting};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use self::{
    entries::{Connector, SqliteEntries},
    log::SqliteLog,
    statements::Statements,
};
use crate::{
    database::Opened,
    error::wrong_url,
    pool::{Lifetimes, Pool},
    row_keys::Places,
    tables::Tables,
};

/// A file that was put in the place of another one is found out.
const LIFETIMES: Lifetimes = Lifetimes { whole: Duration::from_secs(60), idle: Duration::from_secs(60) };

/// How long a connection waits for another one's write at most.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Both sides of the file that a URL names.
pub(crate) fn open(
    url: &str,
    (tables, places): (&Tables, &Places),
    (connections, deadline): (u32, Duration),
) -> Result<Opened> {
    let options: SqliteConnectOptions = url.parse().map_err(wrong_url)?;
    // Each connection would have a database of its own.
    if options.get_filename().as_os_str().is_empty()
        || url.contains(":memory:")
        || url.contains("mode=memory")
    {
        return Err(refused_setting("a database in memory has nothing to share; name a file"));
    }
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        // What waits for longer is tried again by those who have to.
        .busy_timeout(deadline.min(LONGEST_WAIT));
    let address = options.get_filename().display().to_string();
    let statements = Arc::new(Statements::new(tables));
    let pool = Pool::new(Connector(options.clone()), connections, LIFETIMES);
    let entries = SqliteEntries::new(pool, statements.clone());
    // An entry may be lost when the machine loses its power; an invalidation may not, which entries outlive.
    let options = options.synchronous(SqliteSynchronous::Full);
    let log = SqliteLog { options, statements, places: places.clone(), seen: Arc::default() };
    Ok(Opened { database: Arc::new(entries), log: Arc::new(log), pending_commits: Arc::default(), address })
}
