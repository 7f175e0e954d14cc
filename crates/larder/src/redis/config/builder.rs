//! What can be set of a connection.

use std::{fmt, time::Duration};

use crate::redis::{secret::Secret, settings::Settings};

/// Sets up a connection to Redis.
///
/// Set the servers with [`url`](Self::url), [`cluster`](Self::cluster) or [`sentinel`](Self::sentinel); the last call wins. A
/// setter overrides the URL.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct RedisCacheBuilder {
    pub(super) target: Target,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) sentinel_username: Option<String>,
    pub(super) sentinel_password: Option<Secret>,
    pub(super) database: Option<i64>,
    pub(super) prefix: Option<String>,
    pub(super) client_name: Option<String>,
    pub(super) connections: usize,
    pub(super) deadline: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) connect_attempts: u32,
    pub(super) reads_replicas: Option<bool>,
    pub(super) tls: bool,
    pub(super) tls_roots: Option<Vec<u8>>,
    pub(super) tls_client: Option<(Vec<u8>, Secret)>,
    pub(in crate::redis) settings: Settings,
}

#[derive(Clone)]
pub(super) enum Target {
    Url(String),
    Cluster(Vec<String>),
    Sentinel(Vec<String>, String),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A URL may hold a password.
            Self::Url(_) => f.write_str("Url(***)"),
            Self::Cluster(nodes) => f.debug_tuple("Cluster").field(nodes).finish(),
            Self::Sentinel(nodes, master) => f.debug_tuple("Sentinel").field(nodes).field(master).finish(),
        }
    }
}

impl Default for RedisCacheBuilder {
    fn default() -> Self {
        Self {
            target: Target::Url("redis://localhost".to_owned()),
            username: None,
            password: None,
            sentinel_username: None,
            sentinel_password: None,
            database: None,
            prefix: None,
            client_name: None,
            connections: 1,
            deadline: Duration::from_millis(250),
            connect_timeout: Duration::from_secs(2),
            connect_attempts: 5,
            reads_replicas: None,
            tls: false,
            tls_roots: None,
            tls_client: None,
            settings: Settings::default(),
        }
    }
}

impl RedisCacheBuilder {
    /// Where the server is. Default: `redis://localhost`.
    ///
    /// | what | URL |
    /// | --- | --- |
    /// | one server | `redis://[user[:password]@]host[:port][/database]` |
    /// | a Unix socket | `redis+unix:///path/of/the/socket` |
    /// | Cluster | `redis+cluster://[user[:password]@]host[:port],host[:port][/database]` |
    /// | Sentinel | `redis+sentinel://[user[:password]@]host[:port],host[:port]/master-name[/database]` |
    ///
    /// `rediss` in place of `redis` is TLS, with the feature `tls`. `valkey`, `valkeys` and `valkey+unix` are other names of
    /// `redis`, `rediss` and `redis+unix`, as `unix` is of the last. The user and the password are
    /// percent-encoded where they have special characters; those of a Sentinel URL are the servers', not
    /// the sentinels': a URL has no place for theirs ([`sentinel_password`](Self::sentinel_password)), nor for certificates
    /// ([`tls_roots`](Self::tls_roots)). IPv6 addresses stand in brackets. `?prefix=…&client_name=…&read_from_replicas=true` may follow. Blanks, line ends
    /// and a pair of quotes around the URL are none of it.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.target = Target::Url(url.into());
        self
    }

    /// Some nodes of a cluster, as `host` or `host:port`; it tells of the others.
    pub fn cluster(mut self, nodes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.target = Target::Cluster(nodes.into_iter().map(Into::into).collect());
        self
    }

    /// The sentinels, as `host` or `host:port`, and the name of the master that they watch. Name all of
    /// them: what most of them say is believed.
    pub fn sentinel(
        mut self,
        nodes: impl IntoIterator<Item = impl Into<String>>,
        master_name: impl Into<String>,
    ) -> Self {
        self.target = Target::Sentinel(nodes.into_iter().map(Into::into).collect(), master_name.into());
        self
    }

    /// What the keys in Redis begin with, and who shares entries: caches with the same prefix on the same
    /// servers. Choose one for each program: two programs with the default read each other's values. 1 to 128 bytes without braces, `*` and control characters, and without `c`, `e`, `h`, `l`, `m`,
    /// `n`, `r`, `t`, `v`, `w` or `log` as a part after a `:`; default: `larder`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// The ACL user. Needs a [`password`](Self::password).
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password of the user, or of `default` if no user is named.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Secret::from(password.into()));
        self
    }

    /// The ACL user of the sentinels. Needs a [`sentinel_password`](Self::sentinel_password).
    pub fn sentinel_username(mut self, username: impl Into<String>) -> Self {
        self.sentinel_username = Some(username.into());
        self
    }

    /// The password of the sentinels, which is not that of the servers. None is sent by default.
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.sentinel_password = Some(Secret::from(password.into()));
        self
    }

    /// The number of the database; default: 0. A Cluster has others since Valkey 9 (`cluster-databases`).
    pub fn database(mut self, number: u32) -> Self {
        self.database = Some(number.into());
        self
    }

    /// What our connections are called in the server's `CLIENT LIST`; those of the invalidation log have
    /// `-log` and `-outbox` after it. Printable ASCII without spaces, up to 64 bytes; default: `larder`.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// How many connections carry commands to one server, 1 to 64; default: 1. Commands of all callers
    /// share them without waiting for each other, so that one is usually enough. More help where values
    /// are large, because a reply waits for those before it on its connection.
    pub fn connections(mut self, number: usize) -> Self {
        self.connections = number;
        self
    }

    /// What one operation on Redis may take, in which case a read is a miss, and a write is counted as
    /// failed; default: 250 ms. It includes the transfer: where values are so large, or the network so
    /// slow, that they take longer, set more. An operation on many keys has it for every 1,000 of them.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What one attempt to connect may take; default: 2 s. No caller waits for longer than
    /// [`deadline`](Self::deadline), whatever it is. Of a host with several addresses, the next one is tried where one refuses, or
    /// does not answer within 250 ms.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// After how many failed attempts connecting for the first time is an error; default: 5. The pauses
    /// between them grow from 20 ms. A refused password, among others, is an error at once.
    pub fn connect_attempts(mut self, attempts: u32) -> Self {
        self.connect_attempts = attempts;
        self
    }

    /// Reads entries from the replicas of a Cluster's masters, or of the master that Sentinel watches, and relieves the
    /// masters of them; off by default. See [the guide](crate::guide::redis#reads-from-replicas).
    ///
    /// Whether an entry is valid is judged as ever: a replica that is behind costs a round trip, and never a stale value.
    /// What it has not got, or only an invalid one of, is asked of the master, and so is everything while no replica can
    /// be used. The log, leases, locks, counters and rate limits stay with the masters.
    pub fn read_from_replicas(mut self, yes: bool) -> Self {
        self.reads_replicas = Some(yes);
        self
    }

    /// Uses TLS, as `rediss://` does. Needs the feature `tls`.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// The certificates of the authorities to trust, as PEM, in place of the platform's. An error without
    /// TLS: it does not turn it on.
    pub fn tls_roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls_roots = Some(pem.into());
        self
    }

    /// The certificate that a server may ask for, with its chain, and its private key, as PEM.
    pub fn tls_client_certificate(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<String>) -> Self {
        self.tls_client = Some((certificate.into(), Secret::from(key.into())));
        self
    }

    /// How long it may take to follow the log on a server that can be reached.
    pub(in crate::redis) fn patience(&self) -> Duration {
        self.connect_timeout
    }
}
