//! PostgreSQL.

mod entries;
mod log;
mod statements;

use std::{sync::Arc, time::Duration};

use larder::{Result, internal::shared::LogStore};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use self::{entries::PostgresEntries, log::PostgresLog, statements::Statements};
use crate::{database::Database, error::wrong_url, tables::Tables};

/// Both sides of the database that a URL names.
pub(crate) fn open(
    url: &str,
    tables: &Tables,
    (connections, deadline): (u32, Duration),
) -> Result<(Arc<dyn Database>, Arc<dyn LogStore>, String)> {
    let options: PgConnectOptions = url.parse().map_err(wrong_url)?;
    let options = options.application_name("larder");
    let address = format!("{}:{}", options.get_host(), options.get_port());
    let statements = Arc::new(Statements::new(tables));
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(deadline)
        .idle_timeout(Duration::from_secs(600))
        .connect_lazy_with(options.clone());
    let entries = PostgresEntries::new(pool, statements.clone());
    let log = PostgresLog { options, tables: tables.clone(), statements, seen: Arc::default() };
    Ok((Arc::new(entries), Arc::new(log), address))
}
