//! Where the tests' caches lie.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use larder::{CacheExt, MemoryCache, Policy};
use larder_servers::PostgresServer;
use larder_sql::{SqlCache, SqlCacheBuilder, TieredSqlCache};
use sqlx::{Connection, Executor, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;

/// A database with tables that no other test uses.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) prefix: String,
    pub(crate) _directory: Option<Arc<TempDir>>,
}

impl Place {
    /// A new file of SQLite.
    pub(crate) fn sqlite() -> Self {
        let directory = TempDir::new().unwrap();
        let url = format!("sqlite://{}", directory.path().join("cache.db").display());
        Self { url, prefix: "larder".to_owned(), _directory: Some(Arc::new(directory)) }
    }

    /// Tables of their own in the database of a server.
    pub(crate) fn on(server: &PostgresServer) -> Self {
        Self { url: server.url(), prefix: new_prefix(), _directory: None }
    }

    /// Another one of this kind, with tables of its own.
    pub(crate) fn another(&self) -> Self {
        match self.is_sqlite() {
            true => Self::sqlite(),
            false => Self { prefix: new_prefix(), ..self.clone() },
        }
    }

    /// Both kinds, where there is a server.
    pub(crate) fn all() -> Vec<Self> {
        [Some(Self::sqlite()), server().map(Self::on)].into_iter().flatten().collect()
    }

    /// Patient: the machine may be busy, and a test that is about time says so itself.
    pub(crate) fn builder(&self) -> SqlCacheBuilder {
        let builder = SqlCache::builder().url(&self.url).prefix(&self.prefix);
        builder.connections(3).deadline(Duration::from_secs(30)).connect_timeout(Duration::from_secs(60))
    }

    pub(crate) async fn plain(&self) -> SqlCache {
        self.builder().connect().await.unwrap()
    }

    pub(crate) async fn tiered(&self) -> TieredSqlCache {
        TieredSqlCache::new(&MemoryCache::new(10_000), self.plain().await)
    }

    /// Runs statements beside the cache, with the prefix of its tables in the place of `{}`.
    pub(crate) async fn execute(&self, statements: &str) {
        self.try_to(statements).await.unwrap();
    }

    /// The same, if the database is not too busy.
    pub(crate) async fn try_to(&self, statements: &str) -> sqlx::Result<()> {
        let statements = &*statements.replace("{}", &self.prefix);
        if self.is_sqlite() {
            SqliteConnection::connect(&self.url).await?.execute(statements).await.map(drop)
        } else {
            PgConnection::connect(&self.url).await?.execute(statements).await.map(drop)
        }
    }

    /// What a statement counts.
    pub(crate) async fn count(&self, statement: &str) -> i64 {
        let statement = &*statement.replace("{}", &self.prefix);
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            connection.fetch_one(statement).await.unwrap().get(0)
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            connection.fetch_one(statement).await.unwrap().get(0)
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite")
    }
}

fn new_prefix() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("test_{}", NUMBER.fetch_add(1, Relaxed))
}

/// The server that tests share which do it no harm; none where it may be missing.
fn server() -> Option<&'static PostgresServer> {
    static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
    // A static is not dropped: the watcher of the server's process ends it with ours.
    SERVER.get_or_init(PostgresServer::start).as_ref()
}

pub(crate) fn policy() -> Policy {
    Policy::ttl(Duration::from_secs(600))
}

/// Waits for what must come about.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(std::time::Instant::now() < end, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a value is gone from a cache.
pub(crate) async fn gone(cache: &impl CacheExt, key: &str) {
    eventually("an invalidation arrives", async || cache.get::<u64>(key).await.unwrap().is_none()).await;
}
