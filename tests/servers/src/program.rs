//! The program that the tests start.

use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::sync::LazyLock;

/// Where it is.
pub(super) fn path() -> OsString {
    env::var_os("LARDER_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

/// What `--version` says.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) name: String,
    pub(super) valkey: bool,
    pub(super) version: (u32, u32),
}

pub(super) static PROGRAM: LazyLock<Program> = LazyLock::new(|| {
    let output = Command::new(path()).arg("--version").output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    // `Redis server v=7.0.15 sha=…`
    let text = said.split_once("v=").and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("?");
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let valkey = said.starts_with("Valkey");
    Program {
        name: format!("{} {text}", if valkey { "Valkey" } else { "Redis" }),
        valkey,
        version: (next(), next()),
    }
});

/// Whether it knows `cluster-port`: see `Ability::ClusterPort`.
pub(super) fn has_cluster_port() -> bool {
    PROGRAM.version >= (7, 0)
}
