//! What all requests share.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::{config::Config, db::Db, prometheus::Figures, requests::Requests};

/// Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub db: Db,
    /// How long requests took.
    pub requests: Arc<Requests>,
    /// What Prometheus asks for.
    pub figures: Arc<Figures>,
}

impl App {
    /// Opens the database, and makes it if there is none. Once in a process, after the cache was installed.
    pub async fn start(config: &Config) -> Result<Self> {
        let db = Db::open(config.database.clone(), config.rows).await.context("DATABASE")?;
        let figures = Arc::new(Figures::install()?);
        Ok(Self { db, requests: Arc::default(), figures })
    }
}
