//! What the program that the tests start is, and is able to do.

use std::process::Command;
use std::sync::LazyLock;

use super::builder::RedisServerBuilder;
use super::server::RedisServer;

/// Something that not every server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Encrypted connections: where the program was built with them.
    Tls,
    /// `cluster-port`: Redis 7.0. Without it the bus has the node's port and 10,000.
    ClusterPort,
    /// `cluster-databases`: Valkey 9.0.
    ClusterDatabases,
    /// `CLUSTER MIGRATESLOTS`: Valkey 9.0.
    AtomicSlotMigration,
    /// A scripting engine that can be taken out: Valkey 9.1.
    ScriptsAsModule,
}

/// What `--version` says.
#[derive(Debug)]
struct Program {
    name: String,
    valkey: bool,
    version: (u32, u32),
}

static PROGRAM: LazyLock<Program> = LazyLock::new(|| {
    let program = RedisServerBuilder::program();
    let output = Command::new(&program).arg("--version").output();
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

static TLS: LazyLock<bool> =
    LazyLock::new(|| RedisServer::try_start_with(RedisServer::builder().tls(), 1).is_ok());

/// Whether the tests' server has something.
#[must_use]
pub fn has(ability: Ability) -> bool {
    let Program { valkey, version, .. } = *PROGRAM;
    match ability {
        Ability::Tls => *TLS,
        Ability::ClusterPort => version >= (7, 0),
        Ability::ClusterDatabases | Ability::AtomicSlotMigration => valkey && version >= (9, 0),
        Ability::ScriptsAsModule => valkey && version >= (9, 1),
    }
}

/// Whether the tests' server lacks something, which is printed: the test that asks has nothing to test then.
#[must_use]
#[expect(clippy::print_stderr, reason = "what was not tested is to be seen")]
pub fn lacks(ability: Ability) -> bool {
    let lacks = !has(ability);
    if lacks {
        eprintln!("SKIPPED: {} has no {ability:?}", PROGRAM.name);
    }
    lacks
}
