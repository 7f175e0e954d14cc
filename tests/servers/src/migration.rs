//! A slot on its way from one master to another.

use super::cluster::RedisCluster;
use super::topology;

/// Under way between [`RedisCluster::begin_migration`] and [`finish`](Self::finish).
#[derive(Debug)]
#[must_use = "a slot that is never handed over stays half way"]
pub struct SlotMigration<'a> {
    cluster: &'a RedisCluster,
    slot: u16,
    from: usize,
    to: usize,
}

impl RedisCluster {
    /// Moves a slot with all its keys to another master, and waits until everyone agrees.
    ///
    /// # Panics
    ///
    /// If a node refuses.
    pub fn migrate_slot(&self, slot: u16, to: usize) {
        let migration = self.begin_migration(slot, to);
        while migration.move_keys(100) > 0 {}
        migration.finish();
    }

    /// Begins to move a slot to another master: from here on the old one sends clients to the new one
    /// for keys that it does not have (`ASK`).
    ///
    /// # Panics
    ///
    /// If a node refuses.
    pub fn begin_migration(&self, slot: u16, to: usize) -> SlotMigration<'_> {
        SlotMigration::begin(self, slot, self.master_of(slot), to)
    }
}

impl<'a> SlotMigration<'a> {
    pub(super) fn begin(cluster: &'a RedisCluster, slot: u16, from: usize, to: usize) -> Self {
        let (source, target) = (cluster.server(from), cluster.server(to));
        let number = slot.to_string();
        // In this order: a client sent over must be let in.
        target.command::<()>(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &cluster.id(source)]);
        source.command::<()>(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &cluster.id(target)]);
        Self { cluster, slot, from, to }
    }

    /// Moves up to so many keys, and tells how many it moved.
    ///
    /// # Panics
    ///
    /// If a node refuses.
    pub fn move_keys(&self, most: usize) -> usize {
        let source = self.cluster.server(self.from);
        let (slot, most) = (self.slot.to_string(), most.to_string());
        let keys: Vec<String> = source.command(&["CLUSTER", "GETKEYSINSLOT", &slot, &most]);
        if !keys.is_empty() {
            let port = self.cluster.server(self.to).port().to_string();
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "10000", "KEYS"];
            words.extend(keys.iter().map(String::as_str));
            source.command::<()>(&words);
        }
        keys.len()
    }

    /// Hands the slot over, and waits until everyone agrees. There must be no key left to move.
    ///
    /// # Panics
    ///
    /// If a node refuses, which the old master does while it has keys of the slot.
    pub fn finish(self) {
        let servers = self.cluster.servers();
        let (slot, owner) = (self.slot.to_string(), self.cluster.id(&servers[self.to]));
        // The new master first: if the old one let go before, the slot would have no owner for a moment.
        let others = (0..servers.len()).filter(|index| *index != self.from && *index != self.to);
        for index in [self.to, self.from].into_iter().chain(others) {
            if topology::myself(&servers[index]).is_some_and(|node| node.master) {
                servers[index].command::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &owner]);
            }
        }
        self.cluster.wait_until_settled();
    }
}
