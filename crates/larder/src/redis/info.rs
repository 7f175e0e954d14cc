//! What the servers of a cache say of themselves.

use std::time::Duration;

use ::redis::Value;

use super::{
    RedisCache,
    capabilities::Scripting,
    connection::{Command, CommandFailure, Master},
    server_info::info_field,
};
use crate::{epoch::Epoch, error::Result};

/// The servers behind a cache, as they described themselves at one moment; see [`RedisCache::info`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RedisInfo {
    /// The masters.
    pub servers: Vec<RedisServerInfo>,
    /// How many records the invalidation log has; none if the right to ask is missing (`+xlen`).
    pub log_records: Option<u64>,
    /// The epoch through which this process applied every invalidation.
    pub log_position: Epoch,
    /// What is not as it should be. Empty while all is well.
    pub warnings: Vec<RedisWarning>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisServerInfo {
    /// Its address, and with Sentinel the master's name.
    pub name: String,
    /// `Redis 7.0.15`, `Valkey 9.1.0`.
    pub software: String,
    /// For how long it has been running.
    pub uptime: Duration,
    /// Its connections, of all programs.
    pub clients: u64,
    /// Bytes that it has in use.
    pub memory: u64,
    /// Bytes that it may use; none without a limit.
    pub memory_limit: Option<u64>,
    /// What it does when these are used up: `noeviction`, `volatile-lru`, `allkeys-lru`, …
    pub policy: String,
    /// Lookups that found a key, of all programs since it started.
    pub keyspace_hits: u64,
    /// Lookups that found none.
    pub keyspace_misses: u64,
    /// Keys that it evicted because its memory was full.
    pub evicted: u64,
    /// Keys that it dropped because their time was over.
    pub expired: u64,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisWarning {
    /// In one word: `policy`, `memory`, `scripts`, `prefix`, `refused`, `rejected`.
    pub about: &'static str,
    /// What it is.
    pub text: String,
    /// What mends it.
    pub mend: String,
}

/// A memory that is fuller than this share of its limit is a warning.
const FULL: (u64, u64) = (4, 5);

impl RedisCache {
    /// What the servers say of themselves, with warnings about what does not suit a cache: one `INFO` to each master.
    ///
    /// ```no_run
    /// # async fn show(cache: larder::RedisCache) -> larder::Result<()> {
    /// let info = cache.info().await?;
    /// for server in &info.servers {
    ///     println!("{}: {}, {} bytes of {:?}", server.name, server.software, server.memory, server.memory_limit);
    /// }
    /// for warning in &info.warnings {
    ///     println!("{}: {} ({})", warning.about, warning.text, warning.mend);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If a server does not answer within the [`deadline`](crate::RedisCacheBuilder::deadline), or refuses. A cache
    /// goes on without it: this is for people.
    pub async fn info(&self) -> Result<RedisInfo> {
        let mut servers = Vec::new();
        for master in self.remote.connections.masters() {
            servers.push(ask(&master).await?);
        }
        let link = self.link();
        let xlen = Command::new("XLEN").key(self.remote.names.log());
        let log_records = match self.remote.connections.call(&xlen).await {
            Ok(Value::Int(records)) => u64::try_from(records).ok(),
            _ => None,
        };
        let mut warnings: Vec<_> = servers.iter().flat_map(warnings_of).collect();
        warnings.extend(self.warnings());
        Ok(RedisInfo { servers, log_records, log_position: link.position, warnings })
    }

    /// What is not as it should be, of what this process knows by itself.
    fn warnings(&self) -> Vec<RedisWarning> {
        let (link, remote) = (self.link(), &self.remote);
        let mut warnings = Vec::new();
        if !remote.has_own_prefix {
            warnings.push(RedisWarning {
                about: "prefix",
                text: "the keys begin with the default prefix: every program that names none shares them"
                    .to_owned(),
                mend: "name one: ?prefix=shop in the URL, LARDER_PREFIX, or RedisCacheBuilder::prefix"
                    .to_owned(),
            });
        }
        if remote.findings.capabilities.scripting() == Scripting::Without {
            warnings.push(RedisWarning {
                about: "scripts",
                text: "the server runs no scripts: there are no locks, and entries may be stored over newer ones".to_owned(),
                mend: "give the right +eval +evalsha, or load the scripting engine".to_owned(),
            });
        }
        let refused = link.refusals.into_iter().map(|refusal| RedisWarning {
            about: "refused",
            text: format!("{}: {}", refusal.operation, refusal.reply),
            mend: refusal.mend,
        });
        warnings.extend(refused);
        let rejected = link.rejections.into_iter().map(|rejection| RedisWarning {
            about: "rejected",
            text: format!(
                "{} entries that should hold a {} ({})",
                rejection.count, rejection.value_type, rejection.reason
            ),
            mend: rejection.mend.to_owned(),
        });
        warnings.extend(rejected);
        warnings
    }
}

async fn ask(master: &Master) -> Result<RedisServerInfo> {
    match master.call(&Command::new("INFO")).await {
        Ok(reply) => Ok(read(master.name(), &text(&reply))),
        Err(failure @ CommandFailure::Refused(_)) => Err(failure.of("INFO")),
        Err(failure) => Err(failure.into()),
    }
}

/// `INFO` is one text, of whichever kind the protocol makes it.
fn text(reply: &Value) -> String {
    match reply {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
}

fn read(name: String, info: &str) -> RedisServerInfo {
    let field = |name| info_field(info, name);
    let number = |name| field(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let software = match (field("valkey_version"), field("redis_version")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, version) => format!("Redis {}", version.unwrap_or("of an unknown version")),
    };
    RedisServerInfo {
        name,
        software,
        uptime: Duration::from_secs(number("uptime_in_seconds")),
        clients: number("connected_clients"),
        memory: number("used_memory"),
        memory_limit: Some(number("maxmemory")).filter(|limit| *limit > 0),
        policy: field("maxmemory_policy").unwrap_or_default().to_owned(),
        keyspace_hits: number("keyspace_hits"),
        keyspace_misses: number("keyspace_misses"),
        evicted: number("evicted_keys"),
        expired: number("expired_keys"),
    }
}

/// What is not as it should be, of what a server says.
fn warnings_of(server: &RedisServerInfo) -> Vec<RedisWarning> {
    const POLICY: &str =
        "CONFIG SET maxmemory-policy volatile-lru, and the same in the server's configuration";
    let mut warnings = Vec::new();
    let (name, policy) = (&server.name, &server.policy);
    if policy.starts_with("allkeys-") {
        warnings.push(RedisWarning {
            about: "policy",
            text: format!(
                "{name} evicts the invalidation log when its memory is full: maxmemory-policy is {policy}"
            ),
            mend: POLICY.to_owned(),
        });
    }
    let Some(limit) = server.memory_limit else { return warnings };
    if server.memory.saturating_mul(FULL.1) > limit.saturating_mul(FULL.0) {
        let percent = server.memory.saturating_mul(100) / limit;
        let mend = match policy.as_str() {
            "noeviction" => format!("a larger maxmemory, and {POLICY}: else it refuses what is to be stored"),
            _ => "a larger maxmemory, shorter TTLs, or see: larder largest".to_owned(),
        };
        warnings.push(RedisWarning {
            about: "memory",
            text: format!("{name} has {percent} % of its memory in use"),
            mend,
        });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says() {
        let info = "# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.0\r\nuptime_in_seconds:61\r\n\
                    connected_clients:3\r\nused_memory:900\r\nmaxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n\
                    keyspace_hits:7\r\nkeyspace_misses:2\r\nevicted_keys:5\r\nexpired_keys:1\r\n";
        let server = read("here".to_owned(), info);
        assert_eq!(
            (server.software.as_str(), server.uptime.as_secs(), server.clients),
            ("Valkey 8.1.0", 61, 3)
        );
        assert_eq!((server.memory, server.memory_limit), (900, Some(1000)));
        assert_eq!((server.keyspace_hits, server.keyspace_misses), (7, 2));
        let about: Vec<_> = warnings_of(&server).iter().map(|warning| warning.about).collect();
        assert_eq!(about, ["policy", "memory"]);
        let unlimited =
            read("here".to_owned(), "maxmemory:0\r\nused_memory:900\r\nmaxmemory_policy:noeviction");
        assert_eq!(unlimited.memory_limit, None);
        assert_eq!(warnings_of(&unlimited), []);
    }
}
