//! larder's cache, with and without a seal and hashed names.

use std::{convert::Infallible, time::Duration};

use larder::{CacheExt, Lock, Policy, RedisCache, SealKey};

use crate::{
    ours::PATIENCE,
    work::{LIFETIME, Run, run},
};

/// How entries are stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    Plain,
    Sealed,
    Hashed,
}

/// Keys of each size and way; all of them are there.
const KEYS: u64 = 16;

async fn connect(url: &str, how: How) -> RedisCache {
    let key = |byte| SealKey::from([byte; 32]);
    let builder = RedisCache::builder().url(url).prefix(format!("sealing-{how:?}")).deadline(PATIENCE);
    let builder = match how {
        How::Plain => builder,
        How::Sealed => builder.seal(key(1)),
        How::Hashed => builder.seal(key(1)).hash_keys(key(2)),
    };
    builder.connect().await.expect("the server is there")
}

/// A text that cannot be made smaller.
fn value(size: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.alphanumeric()).take(size).collect()
}

fn key(size: usize, number: u64) -> String {
    format!("value:{size}:{}", number % KEYS)
}

async fn store(cache: &RedisCache, size: usize, number: u64, value: &String) {
    let policy = Policy::ttl(Duration::from_secs(LIFETIME));
    cache.insert(&key(size, number), value, policy).await.expect("it can be encoded");
}

pub(crate) async fn get(url: &str, how: How, size: usize) -> Run {
    let cache = connect(url, how).await;
    for number in 0..KEYS {
        while cache.get::<String>(&key(size, number)).await.ok().flatten().is_none() {
            store(&cache, size, number, &value(size)).await;
        }
    }
    run(move |numbers| {
        let cache = cache.clone();
        async move {
            for number in numbers {
                let found = cache.get::<String>(&key(size, number)).await.expect("the key is short");
                assert_eq!(found.map(|value| value.len()), Some(size));
            }
        }
    })
}

/// Reads in vain, and stores what was computed.
pub(crate) async fn miss(url: &str, how: How, size: usize) -> Run {
    let (cache, value) = (connect(url, how).await, value(size));
    // Not for longer: the server's memory would be full of them.
    let policy = Policy::builder().ttl(Duration::from_secs(1)).lock(Lock::Process).build();
    let policy = policy.expect("the settings are valid");
    run(move |numbers| {
        let (cache, value, policy) = (cache.clone(), value.clone(), policy.clone());
        async move {
            for number in numbers {
                let compute = async || Ok::<_, Infallible>(value.clone());
                let key = format!("new:{size}:{number}");
                let Ok(computed) = cache.get_or_compute(&key, &policy, compute).await;
                assert_eq!(computed.len(), size);
            }
        }
    })
}
