//! What all requests share.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::{config::Config, db::Db, requests::Requests};

/// Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub db: Db,
    /// How long requests took.
    pub requests: Arc<Requests>,
}

impl App {
    /// Opens the database, and makes it if there is none.
    pub async fn start(config: &Config) -> Result<Self> {
        let db = Db::open(config.database.clone(), config.rows).await.context("DATABASE")?;
        Ok(Self { db, requests: Arc::default() })
    }
}
