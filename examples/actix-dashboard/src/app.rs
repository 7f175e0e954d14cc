//! What all requests share.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::{config::Config, db::Db, requests::Requests};

/// Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub requests: Arc<Requests>,
}

impl App {
    pub async fn start(config: &Config) -> Result<Self> {
        let db = Db::open(config.database.clone(), config.rows).await.context("DATABASE")?;
        Ok(Self { db, requests: Arc::default() })
    }
}
