//! What is measured: for each thing to do, the raw `redis` crate first, and larder beside it.

use std::{future::Future, ops::Range, pin::Pin, sync::Arc};

use larder::Lock;
use serde::{Deserialize, Serialize};

use crate::{ours, raw};

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Does something once for each number, one after the other.
pub(crate) type Run = Arc<dyn Fn(Range<u64>) -> Boxed<()> + Send + Sync>;

/// One way to do something.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// Connects to the server with this URL.
    pub(crate) prepare: fn(String) -> Boxed<Run>,
}

/// Ways to do the same thing; the others are compared with the first one.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    /// How often it is done in one turn.
    pub(crate) times: u64,
    pub(crate) ways: &'static [Way],
}

macro_rules! way {
    ($name:literal, $url:ident => $run:expr) => {
        Way { name: $name, prepare: |$url| Box::pin(async move { $run }) }
    };
}

pub(crate) static GROUPS: &[Group] = &[
    Group {
        name: "a hit",
        times: 500,
        ways: &[
            way!("raw `GET`, decoded", url => raw::get(raw::connect(&url).await)),
            way!("the same, with larder's settings", url => raw::get(raw::connect_tuned(&url).await)),
            way!("`RedisCache`, `get`", url => ours::get(ours::shared(&url).await)),
            way!("`TieredCache`, `get`", url => ours::get(ours::tiered(&url).await)),
        ],
    },
    Group {
        name: "100 hits at once",
        times: 20,
        ways: &[
            way!("raw pipeline of `GET`s, decoded", url => raw::get_many(raw::connect(&url).await, false)),
            way!("raw `MGET`, decoded", url => raw::get_many(raw::connect(&url).await, true)),
            way!("`RedisCache`, `get_many`", url => ours::get_many(ours::shared(&url).await)),
            way!("`TieredCache`, `get_many`", url => ours::get_many(ours::tiered(&url).await)),
        ],
    },
    Group {
        name: "a miss",
        times: 200,
        ways: &[
            way!("raw `GET`, `SET`", url => raw::miss(raw::connect(&url).await, false)),
            way!("raw `GET`, a lock, `SET`, `DEL`", url => raw::miss(raw::connect(&url).await, true)),
            way!("`RedisCache`, `Lock::Process`", url => ours::miss(ours::shared(&url).await, Lock::Process)),
            way!("`RedisCache`, leased", url => ours::miss(ours::shared(&url).await, Lock::Deployment)),
        ],
    },
    Group {
        name: "an invalidation",
        times: 100,
        ways: &[
            way!("raw `DEL`", url => raw::delete(raw::connect(&url).await, false)),
            way!("raw `DEL` and `PUBLISH`", url => raw::delete(raw::connect(&url).await, true)),
            way!("`RedisCache`, `invalidate`", url => ours::invalidate(ours::shared(&url).await)),
        ],
    },
];

/// How many keys a batch has.
pub(crate) const BATCH: u64 = 100;

/// How long what is stored lives, in seconds: nothing expires while a bench runs.
pub(crate) const LIFETIME: u64 = 3600;

/// A value of about a hundred bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    id: u64,
    name: String,
    email: String,
    roles: Vec<String>,
    balance: i64,
    active: bool,
}

impl Account {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            name: format!("User of the number {id}"),
            email: format!("user-{id}@example.com"),
            roles: vec!["reader".to_owned(), "writer".to_owned()],
            balance: -7,
            active: true,
        }
    }

    pub(crate) fn encoded(id: u64) -> Vec<u8> {
        rmp_serde::to_vec_named(&Self::new(id)).expect("it can be encoded")
    }

    pub(crate) fn decoded(bytes: &[u8]) -> Self {
        rmp_serde::from_slice(bytes).expect("it was encoded from one")
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.id == id
    }
}

/// The run that does this for every number.
pub(crate) fn run<F: Future<Output = ()> + Send + 'static>(
    run: impl Fn(Range<u64>) -> F + Send + Sync + 'static,
) -> Run {
    Arc::new(move |numbers| Box::pin(run(numbers)))
}
