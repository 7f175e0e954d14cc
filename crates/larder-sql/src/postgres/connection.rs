//! Making connections.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{
    Connection, Executor, PgConnection, Row,
    postgres::{PgConnectOptions, PgRow},
};

use super::statements::Statements;
use crate::pool::Connect;

/// Which isolation transactions have that do not say.
pub(super) const ISOLATION: &str = "SELECT current_setting('default_transaction_isolation')";

/// What is to be done about it: the cache's statements wait for each other, and go on with what the other one left. With
/// more isolation they fail.
pub(super) fn settle(isolation: &PgRow) -> sqlx::Result<Option<&'static str>> {
    const SETTLE: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";
    Ok((isolation.try_get::<String, _>(0)? != "read committed").then_some(SETTLE))
}

/// Makes a connection.
pub(super) async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let mut link = PgConnection::connect_with(options).await?;
    let isolation = link.fetch_one(ISOLATION).await?;
    if let Some(settling) = settle(&isolation)? {
        link.execute(settling).await?;
    }
    Ok(link)
}

/// Makes connections for entries.
pub(super) struct Connector {
    pub(super) options: PgConnectOptions,
    pub(super) statements: Arc<Statements>,
}

#[async_trait]
impl Connect for Connector {
    type Connection = PgConnection;

    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let mut link = connect(&self.options).await?;
        // Here is more time than a caller has. What cannot be prepared (there may be no table yet) is when it is used.
        for statement in [&self.statements.read, &self.statements.write] {
            match link.prepare(statement).await {
                Ok(_) | Err(sqlx::Error::Database(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(link)
    }
}
