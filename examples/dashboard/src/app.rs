//! What all requests share.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use larder::CacheExt as _;
use larder_http::HttpCache;

use crate::{
    config::Config,
    db::Db,
    history::{self, History, Sampled},
    prometheus::Figures,
    requests::Requests,
};

/// Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub db: Db,
    /// The cache of responses, to be put in front of the handlers.
    pub responses: HttpCache,
    /// How long requests took.
    pub requests: Arc<Requests>,
    /// What happened in the last minutes.
    pub history: Arc<History>,
    /// What Prometheus asks for.
    pub figures: Arc<Figures>,
}

impl App {
    /// Opens the database, and makes it if there is none. Once in a process, after the cache was installed.
    pub async fn start(config: &Config) -> Result<Self> {
        let db = Db::open(config.database.clone(), config.rows).await.context("DATABASE")?;
        let figures = Arc::new(Figures::install()?);
        // What clients send in `Cache-Control` does not count: reloading a page does not make the database work.
        // Responses take 64 MiB of memory at most.
        let responses = HttpCache::new(larder::global()).capacity(64 << 20).ignore_request_directives();
        let (requests, history) = (Arc::<Requests>::default(), Arc::<History>::default());
        let sampled = Sampled { db: db.clone(), responses: responses.clone(), requests: requests.clone() };
        tokio::spawn(history::record(history.clone(), sampled));
        // For `larder top` and `larder hot`: what this process does, told where processes share a cache.
        if larder::global().link().is_some() {
            let (name, every) = (config.address.to_string(), Duration::from_secs(5));
            larder::heartbeat(larder::global(), name, every)?.detach();
        }
        Ok(Self { db, responses, requests, history, figures })
    }
}
