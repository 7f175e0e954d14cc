//! Waiting until a cluster can be used.

use std::{sync::Arc, time::Duration};

use super::{APART, Cluster, ConnectError, Error, Map, NAME, Node};
use crate::redis::server_info::ServerInfo;

/// How often it is asked who owns what while a master is waited for.
const AGAIN: Duration = Duration::from_millis(500);

/// Why it cannot be used.
enum NotReady {
    /// A node that was waited for is no master any more.
    Replaced,
    Failed(Error),
}

impl Cluster {
    /// Waits until there is a connection to every master. One that is replaced meanwhile is not waited for: its successor is.
    pub(in super::super) async fn ready(self: &Arc<Self>) -> Result<ServerInfo, Error> {
        loop {
            let map = self.seen_map().await?;
            match self.all_ready(&map).await {
                Ok(server_info) => return Ok(server_info),
                Err(NotReady::Replaced) => {}
                Err(NotReady::Failed(error)) => return Err(error),
            }
        }
    }

    /// Who owns what, as it is now.
    async fn seen_map(self: &Arc<Self>) -> Result<Arc<Map>, Error> {
        let mut attempts = 0;
        loop {
            let failure = self.look_now().await;
            if let Some(map) = self.map.load_full() {
                return Ok(map);
            }
            attempts += 1;
            let failure = failure.unwrap_or_else(|| ConnectError::transient("no node answers"));
            if failure.is_permanent() || attempts >= self.config.connect_attempts {
                return Err(failure.of(NAME).into());
            }
            tokio::time::sleep(APART).await;
        }
    }

    /// Looks who owns what, and says why that failed.
    async fn look_now(self: &Arc<Self>) -> Option<ConnectError> {
        let mut looked = self.looked.subscribe();
        looked.mark_unchanged();
        self.look_again();
        let _ = tokio::time::timeout(self.config.connect_timeout * 2, looked.changed()).await;
        looked.borrow().clone()
    }

    async fn all_ready(self: &Arc<Self>, map: &Map) -> Result<ServerInfo, NotReady> {
        let mut server_info = None;
        for (node, link) in &map.masters {
            let ready = tokio::select! {
                ready = link.ready() => ready,
                () = self.replaced(node) => return Err(NotReady::Replaced),
            };
            server_info = Some(match ready {
                Ok(server_info) => server_info,
                // It may have been replaced by now.
                Err(error) => {
                    tokio::time::sleep(APART).await;
                    self.look_now().await;
                    let replaced = !self.has_master(node);
                    return Err(if replaced { NotReady::Replaced } else { NotReady::Failed(error) });
                }
            });
        }
        let none = || ConnectError::transient("it has no masters").of(NAME);
        server_info.ok_or_else(|| NotReady::Failed(none().into()))
    }

    /// Returns when a node is no master any more.
    async fn replaced(self: &Arc<Self>, node: &Node) {
        while self.has_master(node) {
            tokio::time::sleep(AGAIN).await;
            self.look_again();
        }
    }

    fn has_master(&self, node: &Node) -> bool {
        self.map.load().as_ref().is_some_and(|map| map.masters.iter().any(|(master, _)| master == node))
    }
}
