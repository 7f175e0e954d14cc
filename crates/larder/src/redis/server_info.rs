//! What a server says of itself.

use ::redis::Value;

/// What a server said of itself on a new connection.
#[derive(Debug, Clone)]
pub(crate) struct ServerInfo {
    /// Of the Redis release that it is, or is compatible with.
    pub(crate) version: (u32, u32, u32),
    /// Whether it says that it is Valkey.
    pub(crate) valkey: bool,
    /// Which history its data has: another one after every failover and every loss. Empty where it does not tell.
    pub(crate) replication_id: String,
    /// What it deletes when its memory is full. None if it does not tell.
    pub(crate) eviction: Option<String>,
    /// Its clock, in milliseconds since 1970.
    pub(crate) time_ms: u64,
}

/// What a server has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// One that takes writes.
    Master,
    /// One that is read from: it may have become a master, or have lost its own.
    Replica,
}

/// The oldest release whose commands we use.
const OLDEST: (u32, u32, u32) = (6, 2, 0);

/// Why a server is not used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incompatible {
    /// It may be fit later.
    Now(String),
    /// It will be the same next time. What mends it.
    Forever(String, &'static str),
    /// It is a node of a cluster, and should be one server.
    IsCluster,
    /// It should be a node of a cluster.
    IsNoCluster,
}

/// What mends a server that is too old, or none.
const NEWER: &str = "connect to Redis 6.2 or newer, or to Valkey";

/// What mends a proxy in the place of a server.
const BEHIND_ENVOY: &str = "connect to the servers themselves (Envoy does not pass on all that larder sends), and to a \
                            cluster by redis+cluster://";

impl ServerInfo {
    /// Reads the replies to `INFO` and `TIME`, and checks whether commands for this role can be sent there.
    pub(super) fn read(info: &str, time: &Value, clustered: bool, role: Role) -> Result<Self, Incompatible> {
        let field = |name: &str| info_field(info, name);
        let text = field("redis_version").or(field("valkey_version"));
        let text =
            text.ok_or_else(|| Incompatible::Forever("it does not tell its version".to_owned(), NEWER))?;
        let valkey = field("valkey_version").is_some();
        let version = version(text);
        if version < OLDEST && !valkey {
            return Err(Incompatible::Forever(format!("it is Redis {text}, which is too old"), NEWER));
        }
        let cluster = field("cluster_enabled") == Some("1");
        match (cluster, clustered) {
            // Its `INFO` is its own, and without the part about replication.
            (true, false) if field("role").is_none() => {
                let reason = "it calls itself a cluster and tells no role, as Envoy does".to_owned();
                return Err(Incompatible::Forever(reason, BEHIND_ENVOY));
            }
            (true, false) => return Err(Incompatible::IsCluster),
            (false, true) => return Err(Incompatible::IsNoCluster),
            _ => {}
        }
        if field("loading") == Some("1") {
            return Err(Incompatible::Now("it is loading its data".to_owned()));
        }
        if role == Role::Master
            && let Some(role) = other_role(info)
        {
            return Err(Incompatible::Now(format!("it is not a master: {role}")));
        }
        // Where a service hides what its replication is like, another run may have other data.
        let run = || field("run_id").filter(|run| !run.is_empty()).map(|run| format!("run:{run}"));
        let replication_id = replication_id(info).map(str::to_owned).or_else(run).unwrap_or_default();
        let time_ms =
            time_ms(time).ok_or_else(|| Incompatible::Now("it does not tell the time".to_owned()))?;
        let eviction = field("maxmemory_policy").map(str::to_owned);
        Ok(Self { version, valkey, replication_id, eviction, time_ms })
    }

    /// Whether this, which the same server says later, is of the same master with the same history of data. What it does
    /// not say is no news.
    pub(super) fn is_still_true(&self, info: &str) -> bool {
        other_role(info).is_none() && replication_id(info).is_none_or(|id| id == self.replication_id)
    }

    /// Whether it may evict a key without a lifetime when its memory is full.
    pub(super) fn evicts_everything(&self) -> bool {
        let spares =
            |policy: &str| policy.is_empty() || policy == "noeviction" || policy.starts_with("volatile-");
        self.eviction.as_deref().is_some_and(|policy| !spares(policy))
    }
}

/// A field of what `INFO` says.
pub(super) fn info_field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// What it says that it is, if that is no master.
fn other_role(info: &str) -> Option<&str> {
    info_field(info, "role").filter(|role| *role != "master")
}

fn replication_id(info: &str) -> Option<&str> {
    info_field(info, "master_replid").filter(|id| !id.is_empty())
}

fn version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// What `TIME` says, in milliseconds.
pub(super) fn time_ms(time: &Value) -> Option<u64> {
    let Value::Array(parts) = time else { return None };
    let [seconds, micros] = parts.as_slice() else { return None };
    let number = |value: &Value| ::redis::from_redis_value_ref::<u64>(value).ok();
    number(seconds)?.checked_mul(1_000)?.checked_add(number(micros)? / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n\
        loading:0\r\nrole:master\r\nmaster_replid:abc\r\ncluster_enabled:0\r\n";

    fn read(info: &str, clustered: bool) -> Result<ServerInfo, Incompatible> {
        let part = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        ServerInfo::read(info, &Value::Array(vec![part("12"), part("345678")]), clustered, Role::Master)
    }

    #[track_caller]
    fn incompatible(from: &str, to: &str, reason: &str) {
        let incompatible = format!("{:?}", read(&INFO.replace(from, to), false).unwrap_err());
        assert!(incompatible.contains(reason), "{incompatible}");
    }

    #[test]
    fn what_a_server_says() {
        let server_info = read(INFO, false).unwrap();
        assert_eq!(server_info.version, (7, 0, 15));
        assert_eq!(server_info.replication_id, "abc");
        assert_eq!(server_info.eviction.as_deref(), Some("noeviction"));
        assert_eq!(server_info.time_ms, 12_345);
        assert!(!server_info.valkey);
    }

    #[test]
    fn what_makes_it_unfit() {
        incompatible("7.0.15", "6.0.9", "6.2 or newer");
        incompatible("redis_version", "other", "version");
        incompatible("role:master", "role:slave", "not a master");
        incompatible("loading:0", "loading:1", "loading");
        assert_eq!(
            read(&INFO.replace("cluster_enabled:0", "cluster_enabled:1"), false).err(),
            Some(Incompatible::IsCluster)
        );
        assert_eq!(read(INFO, true).err(), Some(Incompatible::IsNoCluster));
        let envoy = INFO.replace("role:master\r\n", "").replace("cluster_enabled:0", "cluster_enabled:1");
        let refused = read(&envoy, false).err();
        assert!(
            matches!(&refused, Some(Incompatible::Forever(why, _)) if why.contains("Envoy")),
            "{refused:?}"
        );
        assert!(read(&envoy, true).is_ok(), "a service may hide its role");
    }

    #[test]
    fn what_is_not_told_is_no_news() {
        let server_info = read(INFO, false).unwrap();
        for (info, still) in [
            ("role:master\r\nmaster_replid:abc\r\n", true),
            ("role:master\r\n", true),
            ("", true),
            ("role:master\r\nmaster_replid:abd\r\n", false),
            ("role:slave\r\nmaster_replid:abc\r\n", false),
            ("role:slave\r\n", false),
        ] {
            assert_eq!(server_info.is_still_true(info), still, "{info}");
        }
        let hidden = INFO.replace("role:master\r\nmaster_replid:abc\r\n", "");
        assert_eq!(read(&hidden, false).unwrap().replication_id, "");
        let run = read(&format!("{hidden}run_id:xyz\r\n"), false).unwrap();
        assert_eq!(run.replication_id, "run:xyz");
        assert!(run.is_still_true("role:master\r\n"));
    }

    #[test]
    fn a_replica_is_read_from_alone() {
        let info = INFO.replace("role:master", "role:slave");
        let time = Value::Array(vec![Value::BulkString(b"1".to_vec()), Value::BulkString(b"0".to_vec())]);
        let read = |role| ServerInfo::read(&info, &time, false, role);
        assert!(read(Role::Replica).is_ok());
        assert!(matches!(read(Role::Master), Err(Incompatible::Now(_))));
    }

    #[test]
    fn releases() {
        assert_eq!(read(&INFO.replace("7.0.15", "6.2.0"), false).unwrap().version, (6, 2, 0));
        assert_eq!(read(&INFO.replace("7.0.15", "8.0-rc1"), false).unwrap().version, (8, 0, 0));
        assert!(read(&INFO.replace("redis_version:7.0.15", "valkey_version:8.0.1"), false).unwrap().valkey);
    }
}
