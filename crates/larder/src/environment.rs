//! `from_env`: a cache as the environment of the process describes it.

#[cfg(feature = "disk")]
mod disk;
mod features;
#[cfg(feature = "seal")]
mod seal;
mod variables;

use std::time::Duration;

use self::{
    features::{DISK, SEAL},
    variables::{Variables, invalid, parsed, set, variable},
};
use crate::{
    Cache, MemoryCache, TieredCache,
    error::Result,
    redis::{RedisCache, RedisCacheBuilder},
    shared_log::disconnect_policy::DisconnectPolicy,
    wire::{BuiltIn, Compression},
};

/// A cache as environment variables describe it: in process memory, or in two tiers where there is a Redis.
///
/// | variable | what it says | without it |
/// | --- | --- | --- |
/// | `REDIS_URL` | the servers: see [`RedisCacheBuilder::url`](crate::RedisCacheBuilder::url) | in-process |
/// | `REDIS_MAX_CONNECTIONS` | how many connections carry commands: 1 to 64 | 1 |
/// | `LARDER_READ_FROM_REPLICAS` | `true`: read entries from the replicas of a Cluster or of Sentinel's master: see [`RedisCacheBuilder::read_from_replicas`](crate::RedisCacheBuilder::read_from_replicas) | that of the URL, or `false` |
/// | `REDIS_SOCKET_TIMEOUT` | what one operation may take, in seconds: `0.25` | 0.25 |
/// | `REDIS_RETRY_ON_TIMEOUT` | `true`: start with Redis down, and connect when it is there; `false`: an error | `true` |
/// | `LARDER_PREFIX` | what the keys in Redis begin with: one for each program | that of the URL (`?prefix=shop`), or `larder` |
/// | `LARDER_CAPACITY` | how many entries are in memory | 10,000 |
/// | `LARDER_DISK` | a folder in which entries outlive the process (with the feature `disk`): see [`MemoryCacheBuilder::disk`](crate::MemoryCacheBuilder). Not together with `LARDER_SEAL_KEYS` | memory alone |
/// | `LARDER_DISK_CAPACITY` | how much is kept there, in bytes | 1 GiB |
/// | `LARDER_CODEC` | `messagepack`, `json`, `postcard` or `bincode` (with those features) | `messagepack` |
/// | `LARDER_COMPRESSION` | `none`, `lz4`, or `zstd` (with that feature) | `lz4` |
/// | `LARDER_SEAL_KEYS` | keys that seal what is in Redis (with the feature `seal`), by commas: the first one seals, all of them open; each of 64 hexadecimal digits, as `openssl rand -hex 32` makes them. See [`RedisCacheBuilder::seal`](crate::RedisCacheBuilder) | not sealed |
/// | `LARDER_NAME_KEY` | one more such key, to hash the names of keys in Redis with | keys are their own names |
/// | `LARDER_BYPASS_AFTER` | after this many seconds without contact with Redis, serve nothing from memory | serve |
///
/// There are no variables for credentials of sentinels, nor for certificates: with TLS, servers are checked against the
/// roots of the system. Where those are needed, a program builds the cache itself, with
/// [`RedisCacheBuilder`](crate::RedisCacheBuilder).
///
/// An empty variable counts as absent, but for the two with secret keys: that a secret did not arrive is an error. `LARDER_DISABLED=1` disables all caches of a process, however they are made: see
/// [`CacheExt::disable`](crate::CacheExt::disable).
///
/// ```no_run
/// # async fn start() -> larder::Result<()> {
/// larder::install(larder::from_env().await?)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// If a variable has a value that makes no sense: the error names both, but for `REDIS_URL`, which may hold a
/// password, and for secret keys. With `REDIS_RETRY_ON_TIMEOUT=false`, also if no connection can be made; with `LARDER_DISK`,
/// if another cache uses that folder.
pub async fn from_env() -> Result<Box<dyn Cache>> {
    from_variables(&variable).await
}

async fn from_variables(variables: Variables<'_>) -> Result<Box<dyn Cache>> {
    let text = |name| set(variables, name);
    let mut memory = MemoryCache::builder();
    if let Some(capacity) =
        parsed(&text, "LARDER_CAPACITY", "a whole number of entries above 0", |n: &u64| *n > 0)?
    {
        memory = memory.capacity(capacity);
    }
    let memory = DISK.on(memory, variables)?;
    let codec = one_of(&text, "LARDER_CODEC", &CODECS)?;
    let compression = one_of(&text, "LARDER_COMPRESSION", &COMPRESSIONS)?;
    enabled("LARDER_CODEC", codec.map(|codec| (codec.name(), codec.is_available())))?;
    enabled("LARDER_COMPRESSION", compression.map(|compression| ("zstd", compression.is_available())))?;
    let connections =
        parsed(&text, "REDIS_MAX_CONNECTIONS", "a whole number from 1 to 64", |n| (1..=64).contains(n))?;
    let deadline = seconds(&text, "REDIS_SOCKET_TIMEOUT")?;
    let bypass = seconds(&text, "LARDER_BYPASS_AFTER")?;
    let lazily = one_of(&text, "REDIS_RETRY_ON_TIMEOUT", &FLAGS)?.unwrap_or(true);
    let replicas = one_of(&text, "LARDER_READ_FROM_REPLICAS", &FLAGS)?;
    let redis = SEAL.on(RedisCache::builder(), variables)?;
    let memory = memory.build()?;
    let Some(url) = text("REDIS_URL")? else { return Ok(Box::new(memory)) };

    // Checked one by one, so that an error can name the variable. A URL says nothing of itself in an error.
    let check = |name, redis: &RedisCacheBuilder| match redis.clone().checked() {
        Ok(_) => Ok(()),
        Err(invalid) => Err::<(), crate::Error>(invalid.of(name).into()),
    };
    let mut redis = redis.url(url);
    check("REDIS_URL", &redis)?;
    if let Some(prefix) = text("LARDER_PREFIX")? {
        redis = redis.prefix(prefix);
        check("LARDER_PREFIX", &redis)?;
    }
    if let Some(yes) = replicas {
        redis = redis.read_from_replicas(yes);
        check("LARDER_READ_FROM_REPLICAS", &redis)?;
    }
    if let Some(codec) = codec {
        redis = redis.built_in_codec(codec);
    }
    if let Some(compression) = compression {
        redis = redis.compression(compression);
    }
    if let Some(connections) = connections {
        redis = redis.connections(connections);
    }
    if let Some(deadline) = deadline {
        redis = redis.deadline(deadline);
    }
    if let Some(after) = bypass {
        redis = redis.on_disconnect(DisconnectPolicy::Bypass(after));
    }
    let redis = if lazily { redis.connect_lazily()? } else { redis.connect().await? };
    Ok(Box::new(TieredCache::new(memory, redis)))
}

const CODECS: [(&str, BuiltIn); 4] = [
    ("messagepack", BuiltIn::MessagePack),
    ("json", BuiltIn::Json),
    ("postcard", BuiltIn::Postcard),
    ("bincode", BuiltIn::Bincode),
];

const COMPRESSIONS: [(&str, Compression); 3] =
    [("none", Compression::None), ("lz4", Compression::Lz4), ("zstd", Compression::Zstd)];

const FLAGS: [(&str, bool); 6] =
    [("true", true), ("false", false), ("1", true), ("0", false), ("yes", true), ("no", false)];

fn enabled(name: &str, choice: Option<(&str, bool)>) -> Result<()> {
    match choice {
        Some((feature, false)) => Err(invalid(
            name,
            feature,
            format_args!("it needs larder's feature `{feature}`, which is not enabled"),
        )),
        _ => Ok(()),
    }
}

fn one_of<T: Copy>(
    text: &impl Fn(&'static str) -> Result<Option<String>>,
    name: &'static str,
    all: &[(&str, T)],
) -> Result<Option<T>> {
    let Some(value) = text(name)? else { return Ok(None) };
    let found = all.iter().find(|(known, _)| value.trim().eq_ignore_ascii_case(known));
    let names: Vec<_> = all.iter().map(|(known, _)| *known).collect();
    let found =
        found.ok_or_else(|| invalid(name, &value, format_args!("it is one of {}", names.join(", "))))?;
    Ok(Some(found.1))
}

fn seconds(
    text: &impl Fn(&'static str) -> Result<Option<String>>,
    name: &'static str,
) -> Result<Option<Duration>> {
    const A_DAY: f64 = 86_400.0;
    let fits = |seconds: &f64| (0.001..=A_DAY).contains(seconds);
    let seconds = parsed(text, name, "a number of seconds from 0.001 to 86400, such as 0.25", fits)?;
    Ok(seconds.map(Duration::from_secs_f64))
}
