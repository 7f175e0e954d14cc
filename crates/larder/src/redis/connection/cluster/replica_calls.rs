//! What is asked of the replicas of a cluster's masters.

use std::{collections::HashMap, sync::Arc};

use super::{
    super::replicas::{ReplicaReply, pick},
    Cluster, Command, CommandFailure, Instant, LinkState, Map, ServerLink, batch, join_all, slot,
};

impl Map {
    /// A replica that has a key, and can be read from at once.
    fn replica(&self, key: &[u8]) -> Option<&Arc<ServerLink>> {
        let master = usize::from(self.owners[usize::from(slot(key))]);
        pick(self.replicas.get(master)?)
    }
}

impl Cluster {
    /// Who owns what, if that is known. It is asked again now and then: replicas come and go unnoticed.
    fn current_map(self: &Arc<Self>) -> Option<Arc<Map>> {
        let map = self.map.load_full();
        if self.replicas.due.now() || map.is_none() {
            self.look_again();
        }
        map
    }

    /// Sends a command that only reads to a replica of its key's master.
    pub(in super::super) async fn call_replica(self: &Arc<Self>, command: &Command) -> ReplicaReply {
        let map = self.current_map()?;
        let reply = map.replica(command.deciding_key()?)?.call(Instant::now(), &command.words).await;
        self.note_moved(&reply);
        Some(reply)
    }

    /// The same for several, those for one replica in one pipeline.
    pub(in super::super) async fn call_replicas(
        self: &Arc<Self>,
        commands: Vec<Command>,
    ) -> Vec<ReplicaReply> {
        let mut replies: Vec<ReplicaReply> = (0..commands.len()).map(|_| None).collect();
        let Some(map) = self.current_map() else { return replies };
        // One of each master's, for all of its keys.
        let picked: Vec<_> = map.replicas.iter().map(|links| pick(links)).collect();
        let mut parts: HashMap<usize, (Vec<usize>, Vec<Command>)> = HashMap::new();
        for (index, command) in commands.into_iter().enumerate() {
            let Some(key) = command.deciding_key() else { continue };
            let (indices, commands) =
                parts.entry(usize::from(map.owners[usize::from(slot(key))])).or_default();
            indices.push(index);
            commands.push(command);
        }
        let parts = parts.into_iter().filter_map(|(master, (indices, commands))| {
            let link = (*picked.get(master)?)?;
            Some(async move { (indices, batch::send(commands, link, link.deadline()).await) })
        });
        for (indices, answers) in join_all(parts).await {
            for (index, answer) in indices.into_iter().zip(answers) {
                self.note_moved(&answer);
                replies[index] = Some(answer);
            }
        }
        replies
    }

    fn note_moved(self: &Arc<Self>, reply: &super::Reply) {
        if matches!(reply, Err(CommandFailure::Refused(error)) if error.code() == "MOVED") {
            self.look_again();
        }
    }

    pub(in super::super) fn replica_states(&self) -> Vec<LinkState> {
        let map = self.map.load();
        map.iter().flat_map(|map| map.replicas.iter().flatten()).map(|link| link.state()).collect()
    }
}
