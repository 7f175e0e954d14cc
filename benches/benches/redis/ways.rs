//! What is measured: for each thing to do, the raw `redis` crate first, and larder beside it.

use larder::Lock;

use crate::{
    ours, raw,
    sealing::{self, How},
    work::{Boxed, Run},
};

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

/// Hits and misses of one size, as they are, sealed, and with hashed names.
macro_rules! sealed {
    ($size:literal, $times:literal) => {
        Group {
            name: concat!("sealed, of ", $size, " bytes"),
            times: $times,
            ways: &[
                way!("`get`", url => sealing::get(&url, How::Plain, $size).await),
                way!("`get`, sealed", url => sealing::get(&url, How::Sealed, $size).await),
                way!("`get`, sealed, hashed", url => sealing::get(&url, How::Hashed, $size).await),
                way!("a miss", url => sealing::miss(&url, How::Plain, $size).await),
                way!("a miss, sealed", url => sealing::miss(&url, How::Sealed, $size).await),
                way!("a miss, sealed, hashed", url => sealing::miss(&url, How::Hashed, $size).await),
            ],
        }
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
        name: "100 inserts at once",
        times: 10,
        ways: &[
            way!("raw pipeline of encoded `SET`s", url => raw::insert_many(raw::connect(&url).await)),
            way!("`RedisCache`, `insert_many`", url => ours::insert_many(ours::connect(&url).await)),
            way!("`TieredCache`, `insert_many`", url => ours::insert_many(ours::with_memory(ours::connect(&url).await))),
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
    sealed!(100, 200),
    sealed!(1000, 200),
    sealed!(100000, 20),
];
