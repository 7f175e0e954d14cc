//! PostgreSQL.

mod connection;
mod entries;
mod log;
mod schema;
mod statements;

use std::{sync::Arc, time::Duration};

use larder::Result;
use sqlx::postgres::PgConnectOptions;

use self::{connection::Connector, entries::PostgresEntries, log::PostgresLog, statements::Statements};
use crate::{
    database::Opened,
    error::wrong_url,
    log::PendingCommits,
    pool::{Lifetimes, Pool},
    row_keys::Places,
    tables::Tables,
};

const LIFETIMES: Lifetimes = Lifetimes { whole: Duration::from_secs(1_800), idle: Duration::from_secs(600) };

/// Both sides of the database that a URL names.
pub(crate) fn open(url: &str, (tables, places): (&Tables, &Places), connections: u32) -> Result<Opened> {
    let options: PgConnectOptions = url.parse().map_err(wrong_url)?;
    let options = options.application_name(&format!("larder {}", tables.prefix));
    let address = format!("{}:{}", options.get_host(), options.get_port());
    let statements = Arc::new(Statements::new(tables));
    let connector = Connector { options: options.clone(), statements: statements.clone() };
    let pool = Pool::new(connector, connections, LIFETIMES);
    let entries = PostgresEntries::new(pool, statements.clone());
    let pending_commits = Arc::<PendingCommits>::default();
    let log = PostgresLog {
        options,
        tables: tables.clone(),
        places: places.clone(),
        statements,
        seen: Arc::default(),
        pending_commits: pending_commits.clone(),
    };
    Ok(Opened { database: Arc::new(entries), log: Arc::new(log), pending_commits, address })
}

#[cfg(test)]
mod tests;
