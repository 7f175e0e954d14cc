//! Users: read through the cache, and each change says what it makes untrue.
//!
//! - `user:<id>`, a **key**: the one entry of that user.
//! - `users:*`, a **prefix**: the pages of the list, however many are cached. Which of them has the user is
//!   not worth finding out.
//! - `users`, a **tag**: what was computed from this table under keys of any other form: revenue by country,
//!   the names of the top customers.
//!
//! Nothing here names a dashboard or an HTTP response. They were made from these entries, and go with them.

use std::num::NonZeroU32;

use anyhow::Result;
use larder::{cached, invalidate};

use crate::db::{Db, NewUser, User};

const PER_PAGE: u32 = 20;

/// That there is no such user is remembered too, but not for long.
#[cached(ttl = "5m", negative_ttl = 30, key = "user:<id>", skip(db))]
pub async fn user(db: &Db, id: u32) -> Result<Option<User>> {
    db.user(id).await
}

/// A page of the list, in the order of their IDs.
#[cached(ttl = "5m", key = "users:<page>", skip(db))]
pub async fn users(db: &Db, page: NonZeroU32) -> Result<Vec<User>> {
    let offset = i64::from(page.get() - 1) * i64::from(PER_PAGE);
    db.users(offset, PER_PAGE).await
}

/// The key of the new user, too: its ID may have been asked for before, and `None` is cached. The tag is not
/// here: a user who has paid nothing yet is in no metric.
#[invalidate("user:<result.id>", "users:*")]
pub async fn create(db: &Db, user: NewUser) -> Result<User> {
    db.create_user(user).await
}

/// The user as he is now, if there is one of this ID.
#[invalidate("user:<id>", "users:*", tags = ["users"])]
pub async fn update(db: &Db, id: u32, user: NewUser) -> Result<Option<User>> {
    db.update_user(id, user).await
}

/// The user that was deleted, if there was one of this ID.
#[invalidate("user:<id>", "users:*", tags = ["users"])]
pub async fn delete(db: &Db, id: u32) -> Result<Option<User>> {
    db.delete_user(id).await
}
