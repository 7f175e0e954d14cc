//! PostgreSQL.

mod entries;
mod log;
mod statements;

use std::{sync::Arc, time::Duration};

use larder::Result;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use self::{entries::PostgresEntries, log::PostgresLog, statements::Statements};
use crate::{database::Opened, error::wrong_url, tables::Tables};

/// Both sides of the database that a URL names.
pub(crate) fn open(url: &str, tables: &Tables, (connections, deadline): (u32, Duration)) -> Result<Opened> {
    let options: PgConnectOptions = url.parse().map_err(wrong_url)?;
    let options = options.application_name(&format!("larder {}", tables.prefix));
    let address = format!("{}:{}", options.get_host(), options.get_port());
    let statements = Arc::new(Statements::new(tables));
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(deadline)
        .idle_timeout(Duration::from_secs(600))
        .connect_lazy_with(options.clone());
    let entries = PostgresEntries::new(pool, statements.clone());
    let log = PostgresLog { options, tables: tables.clone(), statements, seen: Arc::default() };
    Ok(Opened { database: Arc::new(entries), log: Arc::new(log), address })
}
