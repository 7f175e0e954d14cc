//! The users' table.

use anyhow::Result;
use rusqlite::Row;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::Db;

/// A row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// Unique, and never used again.
    pub id: u32,
    /// 1 to 100 characters.
    pub name: String,
    /// Two capital letters.
    pub country: String,
}

/// What a client says about a user. There is none that would not be accepted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// 1 to 100 characters.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Two capital letters.
    #[serde(deserialize_with = "country")]
    pub country: String,
}

impl Db {
    /// The user of this ID, if there is one.
    pub async fn user(&self, id: u32) -> Result<Option<User>> {
        self.optional_row("SELECT id, name, country FROM users WHERE id = ?1", [id], read).await
    }

    /// The users after the first `offset` ones, by ID.
    pub async fn users(&self, offset: i64, limit: u32) -> Result<Vec<User>> {
        let sql = "SELECT id, name, country FROM users ORDER BY id LIMIT ?2 OFFSET ?1";
        self.rows(sql, (offset, limit), read).await
    }

    /// The new user, with an ID.
    pub async fn create_user(&self, user: NewUser) -> Result<User> {
        let sql = "INSERT INTO users (name, country) VALUES (?1, ?2) RETURNING id, name, country";
        self.row(sql, (user.name, user.country), read).await
    }

    /// The user as it is now, if there is one of this ID.
    pub async fn update_user(&self, id: u32, user: NewUser) -> Result<Option<User>> {
        let sql = "UPDATE users SET name = ?2, country = ?3 WHERE id = ?1 RETURNING id, name, country";
        self.optional_row(sql, (id, user.name, user.country), read).await
    }

    /// The user that was deleted, if there was one.
    pub async fn delete_user(&self, id: u32) -> Result<Option<User>> {
        self.optional_row("DELETE FROM users WHERE id = ?1 RETURNING id, name, country", [id], read).await
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User { id: row.get(0)?, name: row.get(1)?, country: row.get(2)? })
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?.trim().to_owned();
    let fits = (1..=100).contains(&name.chars().count());
    if fits { Ok(name) } else { Err(D::Error::custom("a name has 1 to 100 characters")) }
}

fn country<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let country = String::deserialize(deserializer)?;
    let fits = country.len() == 2 && country.bytes().all(|letter| letter.is_ascii_uppercase());
    if fits { Ok(country) } else { Err(D::Error::custom("a country is two capital letters")) }
}
