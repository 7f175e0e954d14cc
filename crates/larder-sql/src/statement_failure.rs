//! Why the database did not do something: what is counted, what is logged, and what mends it.

use std::{borrow::Cow, fmt, sync::Arc};

use larder::{
    Error,
    internal::shared::{StoreOutcome, unavailable, unavailable_because},
};
use sqlx::error::DatabaseError;

/// Why a statement came to nothing.
#[derive(Debug, Clone)]
pub(crate) struct NotDone {
    /// As it is counted.
    pub(crate) outcome: StoreOutcome,
    error: Option<Arc<sqlx::Error>>,
}

impl NotDone {
    /// The database was not asked, or did not answer in time.
    pub(crate) fn unanswered(outcome: StoreOutcome) -> Self {
        Self { outcome, error: None }
    }

    /// It came to this.
    pub(crate) fn failed(outcome: StoreOutcome, error: sqlx::Error) -> Self {
        Self { outcome, error: Some(Arc::new(error)) }
    }

    /// The error of what cannot do without an answer: a counter, say.
    pub(crate) fn of(self, what: impl fmt::Display) -> Error {
        let reason = match self.outcome {
            StoreOutcome::Refused => {
                let said = self.error.as_deref().and_then(sqlx::Error::as_database_error);
                match said.and_then(mend) {
                    Some(mend) => format!("the database refuses {what}; {mend}"),
                    None => format!("the database refuses {what}"),
                }
            }
            StoreOutcome::TimedOut => {
                format!(
                    "the database did not answer in time for {what}; it can be asked again, or given a longer `deadline`"
                )
            }
            _ => format!("the database is out of reach for {what}; it is looked for in the background"),
        };
        match self.error {
            Some(error) => unavailable_because(reason, error),
            None => unavailable(reason),
        }
    }
}

/// What mends a refusal that will be the same next time. None for one that passes by itself, or is about one statement.
pub(crate) fn mend(said: &dyn DatabaseError) -> Option<&'static str> {
    match &*code(said) {
        "42501" => Some("give the user the rights to create, read and write the tables of the cache"),
        "25006" => Some("connect to a database that takes writes"),
        "53100" => Some("make room on the disk of the database"),
        code => match sqlite(code)? {
            // SQLITE_READONLY, SQLITE_FULL.
            8 => Some("connect to a database that takes writes"),
            13 => Some("make room on the disk of the database"),
            _ => None,
        },
    }
}

/// Whether the database would have done it at another time.
pub(crate) fn is_busy(said: &dyn DatabaseError) -> bool {
    // Of PostgreSQL: no connection, an operator's intervention, out of resources, a lock that is not to be had; a full disk
    // is cleared by people. Of SQLite: `SQLITE_BUSY` and `SQLITE_LOCKED`.
    let code = code(said);
    let passes = ["08", "57", "53", "55P03"].iter().any(|class| code.len() == 5 && code.starts_with(class));
    matches!(sqlite(&code), Some(5 | 6)) || passes && code != "53100"
}

fn code(said: &dyn DatabaseError) -> Cow<'_, str> {
    said.code().unwrap_or_default()
}

/// A code of SQLite, without what further bits say of it. Those of PostgreSQL are five letters and digits.
fn sqlite(code: &str) -> Option<u32> {
    let code = code.parse::<u32>().ok().filter(|_| code.len() < 5)?;
    Some(code & 0xff)
}
