//! What the program that the tests start is able to do.

use std::sync::LazyLock;

use super::program::{PROGRAM, Program, has_cluster_port};
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

static TLS: LazyLock<bool> =
    LazyLock::new(|| RedisServer::try_start_with(RedisServer::builder().tls(), 1).is_ok());

/// Whether the tests' server has something.
#[must_use]
pub fn has(ability: Ability) -> bool {
    let Program { valkey, version, .. } = *PROGRAM;
    match ability {
        Ability::Tls => *TLS,
        Ability::ClusterPort => has_cluster_port(),
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
