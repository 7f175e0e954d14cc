//! Two releases of one program on one server: never a wrong value, never an error.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{convert::Infallible, fmt::Debug};

use larder::{CacheExt, Compression, RedisCacheBuilder, TieredCache, Value, codec};
use larder_servers::RedisServer;
use larder_tests::caches::{Process, eventually, long, tiered};
use serde::{Deserialize, Serialize};

/// The types of one release, all called the same in the other one.
macro_rules! release {
    ($release:ident { $($name:ident { $($field:ident: $type:ty = $value:expr,)* })* }) => {
        mod $release {
            use super::{Deserialize, Serialize, text};

            $(
                #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
                pub(crate) struct $name { $($field: $type,)* }

                impl $name {
                    pub(crate) fn sample() -> Self {
                        Self { $($field: $value,)* }
                    }
                }
            )*
        }
    };
}

release!(old {
    Same { id: u64 = 1, name: String = text(), }
    Gained { id: u64 = 1, }
    Lost { id: u64 = 1, name: String = text(), }
    Renamed { width: u32 = 3, height: u32 = 4, }
    Swapped { width: u32 = 3, height: u32 = 4, }
    Widened { number: u32 = 5, }
    Optional { number: u32 = 5, }
    Nested { inner: super::old::Swapped = super::old::Swapped::sample(), text: String = text(), }
});

release!(new {
    Same { id: u64 = 1, name: String = text(), }
    Gained { id: u64 = 2, name: String = text(), }
    Lost { id: u64 = 2, }
    Renamed { width: u32 = 3, depth: u32 = 4, }
    Swapped { height: u32 = 6, width: u32 = 7, }
    Widened { number: u64 = 6, }
    Optional { number: Option<u32> = None, }
    Nested { inner: super::new::Swapped = super::new::Swapped::sample(), text: String = text(), }
});

/// Long enough to be compressed.
fn text() -> String {
    "a text that says the same again, ".repeat(100)
}

/// Both releases ask in turns, and each has what its own release computes.
async fn each_has_its_own<O, N>(caches: &[TieredCache; 2], key: &str, (old, new): (O, N))
where
    O: Value + PartialEq + Debug,
    N: Value + PartialEq + Debug,
{
    for _ in 0..2 {
        let computed = caches[0].get_or_compute(key, long(), async || Ok::<_, Infallible>(old.clone())).await;
        assert_eq!(computed.as_ref(), Ok(&old), "{key}");
        assert!(caches[1].get::<N>(key).await.unwrap().is_none_or(|found| found == new), "{key}");
        let computed = caches[1].get_or_compute(key, long(), async || Ok::<_, Infallible>(new.clone())).await;
        assert_eq!(computed.as_ref(), Ok(&new), "{key}");
        assert!(caches[0].get::<O>(key).await.unwrap().is_none_or(|found| found == old), "{key}");
        caches[0].insert(key, &old, long()).await.unwrap();
        eventually(async || caches[1].get::<N>(key).await.unwrap().is_none()).await;
    }
}

async fn roll(server: &RedisServer, setup: [fn(RedisCacheBuilder) -> RedisCacheBuilder; 2], prefix: &str) {
    let connect = async |process: Process, setup: fn(RedisCacheBuilder) -> RedisCacheBuilder| {
        tiered(setup(process.builder(server).prefix(prefix))).await
    };
    let caches = [connect(Process::A, setup[0]).await, connect(Process::B, setup[1]).await];
    macro_rules! all {
        ($($name:ident)*) => {$(
            each_has_its_own(&caches, stringify!($name), (old::$name::sample(), new::$name::sample())).await;
        )*};
    }
    all!(Gained Lost Renamed Swapped Widened Optional Nested);

    // What did not change is shared by both, whatever they write it with.
    caches[0].insert("same", &old::Same::sample(), long()).await.unwrap();
    let served = caches[1].get_or_compute("same", long(), async || Err::<new::Same, _>("it computed")).await;
    assert_eq!(served, Ok(new::Same::sample()), "{prefix}");
    assert_eq!(caches.iter().map(|cache| cache.stats().lease_timeouts).sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_codec_and_compression() {
    type Setup = fn(RedisCacheBuilder) -> RedisCacheBuilder;
    let setups: [Setup; 10] = [
        |redis| redis.codec(codec::MessagePack).compression(Compression::None),
        |redis| redis.codec(codec::MessagePack).compression(Compression::Lz4),
        |redis| redis.codec(codec::MessagePack).compression(Compression::Zstd),
        |redis| redis.codec(codec::Json).compression(Compression::None),
        |redis| redis.codec(codec::Json).compression(Compression::Lz4),
        |redis| redis.codec(codec::Json).compression(Compression::Zstd),
        |redis| redis.codec(codec::Bincode).compression(Compression::None),
        |redis| redis.codec(codec::Bincode).compression(Compression::Lz4),
        |redis| redis.codec(codec::Bincode).compression(Compression::Zstd),
        |redis| redis.codec(codec::Postcard).compression(Compression::Lz4),
    ];
    let server = RedisServer::start();
    for (index, setup) in setups.into_iter().enumerate() {
        roll(&server, [setup, setup], &format!("same{index}")).await;
        // The new release writes in another way.
        roll(&server, [setup, setups[(index + 4) % setups.len()]], &format!("other{index}")).await;
    }
}
