//! Connections for entries.
//!
//! sqlx has a pool too. It tests a connection whose caller went away with a question that may never be answered, and keeps
//! its place for as long; and it gives up making a connection when the caller that needs it does, so that none comes into
//! being where that takes longer than callers wait.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use sqlx::Connection;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

/// How long a connection may take to be made.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// What was not used for so long is tried before it is.
const FRESH: Duration = Duration::from_secs(1);

/// Makes connections.
#[async_trait]
pub(crate) trait Connect: Send + Sync + 'static {
    type Connection: Connection;

    async fn connect(&self) -> sqlx::Result<Self::Connection>;
}

/// How long connections live: at all, and unused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    pub(crate) whole: Duration,
    pub(crate) idle: Duration,
}

/// Up to so many connections, made as they are needed, in tasks of the runtime that this was made in.
pub(crate) struct Pool<C: Connect> {
    connector: C,
    lifetimes: Lifetimes,
    most: usize,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Idle<C::Connection>>>,
    runtime: Handle,
}

struct Idle<C> {
    link: C,
    made: Instant,
    since: Instant,
}

impl<C> Idle<C> {
    fn new(link: C) -> Self {
        Self { link, made: Instant::now(), since: Instant::now() }
    }
}

impl<C: Connect> Pool<C> {
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(crate) fn new(connector: C, connections: u32, lifetimes: Lifetimes) -> Arc<Self> {
        let most = usize::try_from(connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            connector,
            lifetimes,
            most,
            places: Arc::new(Semaphore::new(most)),
            idle: Mutex::default(),
            runtime: Handle::current(),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<C::Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, which ends unless it is [settled](Lent::settle): also when the caller goes away. Making one goes on
    /// without its caller, and the next one has it.
    pub(crate) async fn lend(self: &Arc<Self>) -> sqlx::Result<Lent<C>> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        self.retire();
        loop {
            let Some(mut idle) = self.idle().pop() else { break };
            if idle.since.elapsed() < FRESH || idle.link.ping().await.is_ok() {
                return Ok(Lent { idle, pool: self.clone(), place });
            }
        }
        let (tell, told) = oneshot::channel();
        let pool = self.clone();
        self.runtime.spawn(async move {
            let made = pool.make().await.map(|idle| Lent { idle, pool: pool.clone(), place });
            if let Err(Ok(lent)) = tell.send(made) {
                lent.give_back();
            }
        });
        told.await.map_err(|_| sqlx::Error::PoolClosed)?
    }

    async fn make(&self) -> sqlx::Result<Idle<C::Connection>> {
        match timeout(CONNECT, self.connector.connect()).await {
            Ok(link) => link.map(Idle::new),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// Whether a connection can be made that works: one of its own, whatever became of all others.
    pub(crate) async fn probe(self: &Arc<Self>) -> sqlx::Result<()> {
        let pool = self.clone();
        let probing = self.runtime.spawn(async move {
            let mut idle = pool.make().await?;
            timeout(CONNECT, idle.link.ping()).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
            pool.keep(idle);
            Ok(())
        });
        probing.await.unwrap_or(Err(sqlx::Error::PoolClosed))
    }

    /// Ends connections whose time is over.
    pub(crate) fn retire(&self) {
        let Lifetimes { whole, idle: unused } = self.lifetimes;
        self.idle().retain(|idle| idle.made.elapsed() < whole && idle.since.elapsed() < unused);
    }

    fn keep(&self, mut idle: Idle<C::Connection>) {
        idle.since = Instant::now();
        let mut all = self.idle();
        if all.len() < self.most {
            all.push(idle);
        }
    }
}

/// A connection for one call.
pub(crate) struct Lent<C: Connect> {
    idle: Idle<C::Connection>,
    pool: Arc<Pool<C>>,
    place: OwnedSemaphorePermit,
}

impl<C: Connect> Lent<C> {
    pub(crate) fn link(&mut self) -> &mut C::Connection {
        &mut self.idle.link
    }

    /// The call is over: the connection is kept, unless it is the connection that failed.
    pub(crate) fn settle<T>(self, done: sqlx::Result<T>) -> sqlx::Result<T> {
        match &done {
            Ok(_) | Err(sqlx::Error::Database(_)) => self.give_back(),
            // Those that idle were made before, and are as likely to be broken.
            Err(sqlx::Error::Io(_)) => self.pool.idle().clear(),
            Err(_) => {}
        }
        done
    }

    fn give_back(self) {
        let Self { idle, pool, place } = self;
        pool.keep(idle);
        drop(place);
    }
}
