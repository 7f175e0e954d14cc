//! From what was set to what is valid.

use std::sync::Arc;

use super::{
    Config, DEFAULT_PREFIX,
    builder::{RedisCacheBuilder, Target},
    invalid::Invalid,
};
use crate::{
    clock::check_limit,
    error::{Error, Result},
    redis::{
        secret::{Credentials, Secret},
        server_findings::Findings,
        url::{self, PORT, Parsed, SENTINEL_PORT, Topology},
    },
};

impl RedisCacheBuilder {
    /// Checks what was set.
    pub(crate) fn config(self) -> Result<Config> {
        self.checked().map_err(Error::from)
    }

    /// The same; where a setting comes from can be added to the error.
    pub(crate) fn checked(mut self) -> Result<Config, Invalid> {
        let parsed = self.parsed()?;
        let encrypted = parsed.tls || self.tls;
        let database = self.database.or(parsed.database).unwrap_or(0);
        if encrypted && matches!(parsed.topology, Topology::Socket(_)) {
            return Err("there is no TLS on a Unix socket: leave `tls` out".into());
        }
        if !(1..=64).contains(&self.connections) {
            return Err(format!("{} connections: 1 to 64 are allowed", self.connections).into());
        }
        check_limit("deadline", self.deadline)?;
        check_limit("connect_timeout", self.connect_timeout)?;
        if self.connect_attempts == 0 {
            return Err("connect_attempts is 0: at least one is needed".into());
        }
        let reads_replicas = self.reads_replicas.or(parsed.reads_replicas).unwrap_or(false);
        if reads_replicas && matches!(parsed.topology, Topology::Server(_) | Topology::Socket(_)) {
            return Err(
                "read_from_replicas: only a Cluster and Sentinel tell which replicas there are".into()
            );
        }
        #[cfg(feature = "tls")]
        let tls = self.encryption(encrypted)?;
        #[cfg(not(feature = "tls"))]
        self.refuse_encryption(encrypted)?;
        let credentials = credentials_of(
            self.username.take().or(parsed.username),
            self.password.take().or(parsed.password),
            "password",
        )?;
        let has_own_prefix = self.prefix.is_some() || parsed.prefix.is_some();
        let prefix = prefix(self.prefix.take().or(parsed.prefix))?;
        let user = credentials.as_ref().and_then(|credentials| credentials.username.as_deref());
        let findings = Arc::new(Findings::new(user, &prefix));
        Ok(Config {
            credentials,
            sentinel_credentials: credentials_of(
                self.sentinel_username.take(),
                self.sentinel_password.take(),
                "sentinel_password",
            )?,
            topology: parsed.topology,
            database,
            #[cfg(feature = "tls")]
            tls,
            has_own_prefix,
            prefix,
            client_name: client_name(self.client_name.or(parsed.client_name))?,
            connections: self.connections,
            deadline: self.deadline,
            connect_timeout: self.connect_timeout,
            connect_attempts: self.connect_attempts,
            reads_replicas,
            known: Arc::default(),
            findings,
        })
    }

    fn parsed(&self) -> Result<Parsed, String> {
        let nodes = |list: &[String], port| match list {
            [] => Err("no node is named".to_owned()),
            list => {
                list.iter().map(|text| url::listed_node(text.trim(), port)).collect::<Result<Vec<_>, _>>()
            }
        };
        let topology = match &self.target {
            Target::Url(text) => return url::parse(text),
            Target::Cluster(list) => Topology::Cluster(nodes(list, PORT)?),
            Target::Sentinel(list, master) => {
                if master.is_empty() {
                    return Err("the name of the master is empty".to_owned());
                }
                Topology::Sentinel { nodes: nodes(list, SENTINEL_PORT)?, master: master.clone() }
            }
        };
        Ok(Parsed {
            topology,
            tls: false,
            username: None,
            password: None,
            database: None,
            prefix: None,
            client_name: None,
            reads_replicas: None,
        })
    }

    #[cfg(feature = "tls")]
    fn encryption(&self, encrypted: bool) -> Result<Option<super::tls::Tls>, Invalid> {
        match encrypted {
            true => super::tls::Tls::new(self.tls_roots.as_deref(), self.tls_client.as_ref()).map(Some),
            false if self.tls_roots.is_some() || self.tls_client.is_some() => {
                Err("certificates were given without TLS: write rediss:// or call `tls`".into())
            }
            false => Ok(None),
        }
    }

    #[cfg(not(feature = "tls"))]
    fn refuse_encryption(&self, encrypted: bool) -> Result<(), String> {
        if encrypted || self.tls_roots.is_some() || self.tls_client.is_some() {
            return Err("TLS needs larder's feature `tls`, which is not enabled".to_owned());
        }
        Ok(())
    }
}

/// A user without a password would be forgotten silently: `AUTH` has no such form.
fn credentials_of(
    username: Option<String>,
    password: Option<Secret>,
    setter: &str,
) -> Result<Option<Credentials>, String> {
    match (username, password) {
        (username, Some(password)) => Ok(Some(Credentials { username, password })),
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(format!("a user needs a password: set `{setter}`, an empty one if it has none"))
        }
    }
}

fn prefix(prefix: Option<String>) -> Result<String, String> {
    let prefix = prefix.unwrap_or_else(|| DEFAULT_PREFIX.to_owned());
    if !(1..=128).contains(&prefix.len()) {
        return Err(format!("the prefix has {} bytes: 1 to 128 are allowed", prefix.len()));
    }
    // Braces would send all keys to one node of a cluster; `*` and control characters would make them hard
    // to find by people.
    // `a:c` and a counter `x` would be what `a` and a counter `c:x` are.
    const OURS: [&str; 11] = ["c", "e", "h", "l", "log", "m", "n", "r", "t", "v", "w"];
    if let Some(part) = prefix.split(':').skip(1).find(|part| OURS.contains(part)) {
        return Err(format!(
            "the prefix {prefix:?} has the part {part:?}, which larder uses itself: choose another one"
        ));
    }
    match prefix.chars().find(|&symbol| matches!(symbol, '{' | '}' | '*') || symbol.is_control()) {
        Some(symbol) => Err(format!("the prefix {prefix:?} has a {symbol:?} in it: leave it out")),
        None => Ok(prefix),
    }
}

/// What `CLIENT SETNAME` takes.
fn client_name(name: Option<String>) -> Result<String, String> {
    let name = name.unwrap_or_else(|| "larder".to_owned());
    let valid = (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
    match valid {
        true => Ok(name),
        false => Err(format!("the client's name {name:?} is not 1 to 64 printable ASCII letters")),
    }
}
