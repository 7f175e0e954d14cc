//! Errors of the database, as larder's.

use larder::{Error, internal::shared::no_connection};

/// A URL that makes no sense. It is not repeated: it may have a password in it.
pub(crate) fn wrong_url(error: sqlx::Error) -> Error {
    no_connection("the database", "the URL cannot be read", error)
}
