//! What a server is started with.

use std::fs;
use std::io;
use std::path::Path;

use super::port::Port;
use super::program::has_cluster_port;
use super::tls::Certificates;

/// The tests' own user where there is an ACL, so that `default` may be anything or off.
pub(super) const KEEPER: &str = "larder-tests";

/// What every server is given, and may be overridden.
const DEFAULTS: &str = "\
bind 127.0.0.1
protected-mode no
daemonize no
appendonly no
save \"\"
# Otherwise a replica waits five seconds for others to join.
repl-diskless-sync-delay 0
";

/// Sets up a [`RedisServer`](crate::RedisServer).
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct RedisServerBuilder {
    lines: Vec<String>,
    password: Option<String>,
    users: Vec<String>,
    certificates: Option<Certificates>,
    asks_clients: bool,
    cluster: bool,
    sentinel: bool,
}

impl RedisServerBuilder {
    /// A line of the configuration file: `config("maxmemory", "10mb")`, `config("save", "60 1")`. The
    /// value stands there as it is.
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.lines.push(format!("{name} {value}"));
        self
    }

    /// Keeps an append-only file. What the server has acknowledged is in it, so that even after a
    /// SIGKILL a restart with the data kept finds everything.
    pub fn append_only(self) -> Self {
        self.config("appendonly", "yes").config("appendfsync", "no")
    }

    /// The password of the user `default`.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// A user, in the terms of an ACL file without the first word: `user("app on >secret ~* +get")`.
    /// Unless given here, `default` may do everything.
    pub fn user(mut self, rules: &str) -> Self {
        self.users.push(rules.to_owned());
        self
    }

    /// Speaks TLS only, with new certificates: see [`RedisServer::certificates`](crate::RedisServer::certificates).
    pub fn tls(mut self) -> Self {
        self.certificates = Some(Certificates::make());
        self
    }

    /// As [`tls`](Self::tls), and wants a certificate of each client: see [`Certificates::client`].
    pub fn mutual_tls(mut self) -> Self {
        self.asks_clients = true;
        self.tls()
    }

    pub(super) fn cluster(mut self) -> Self {
        self.cluster = true;
        self
    }

    pub(super) fn sentinel(mut self) -> Self {
        self.sentinel = true;
        self
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.cluster
    }

    pub(super) fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Who the tests' own commands come from: user and password.
    pub(super) fn keeper(&self) -> (Option<&str>, Option<&str>) {
        if self.users.is_empty() { (None, self.password.as_deref()) } else { (Some(KEEPER), Some(KEEPER)) }
    }

    pub(super) fn default_password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub(super) fn arguments(&self) -> &'static [&'static str] {
        if self.sentinel { &["--sentinel"] } else { &[] }
    }

    /// Writes the configuration file and those that it names.
    pub(super) fn write(&self, home: &Home<'_>, port: &Port, bus: Option<&Port>) -> io::Result<()> {
        let mut text = if self.sentinel { "bind 127.0.0.1\n".to_owned() } else { DEFAULTS.to_owned() };
        text += &format!("dir \"{}\"\n", home.data().display());
        text += &match &self.certificates {
            Some(certificates) => {
                let auth = if self.asks_clients { "yes" } else { "no" };
                format!(
                    "port 0\ntls-port {}\ntls-auth-clients {auth}\n{}",
                    port.number(),
                    certificates.write(home.0)?
                )
            }
            None => format!("port {}\n", port.number()),
        };
        if let Some(bus) = bus {
            // Not beside the data: a node that lost its data is still the same node.
            let nodes = home.0.join("nodes.conf");
            text += &format!("cluster-enabled yes\ncluster-config-file \"{}\"\n", nodes.display());
            if has_cluster_port() {
                text += &format!("cluster-port {}\n", bus.number());
            }
        }
        text += &self.access(home)?;
        for line in &self.lines {
            text += line;
            text.push('\n');
        }
        fs::write(home.configuration(), text)
    }

    /// With users everything is in the ACL file, since the server ignores `requirepass` beside one.
    fn access(&self, home: &Home<'_>) -> io::Result<String> {
        if self.users.is_empty() {
            return Ok(self
                .password
                .as_ref()
                .map(|word| format!("requirepass \"{word}\"\n"))
                .unwrap_or_default());
        }
        let secret = self.password.as_ref().map_or_else(|| "nopass".to_owned(), |word| format!(">{word}"));
        let mut users = format!("user {KEEPER} on >{KEEPER} ~* &* +@all\n");
        if !self.users.iter().any(|user| user.starts_with("default ")) {
            users += &format!("user default on {secret} ~* &* +@all\n");
        }
        for user in &self.users {
            users += &format!("user {user}\n");
        }
        let path = home.0.join("users.acl");
        fs::write(&path, users)?;
        Ok(format!("aclfile \"{}\"\n", path.display()))
    }
}

/// A server's directory.
pub(super) struct Home<'a>(pub(super) &'a Path);

impl Home<'_> {
    pub(super) fn configuration(&self) -> std::path::PathBuf {
        self.0.join("redis.conf")
    }

    pub(super) fn data(&self) -> std::path::PathBuf {
        self.0.join("data")
    }

    pub(super) fn log(&self) -> std::path::PathBuf {
        self.0.join("log")
    }
}
