//! Whether all processes name the same nodes.
//!
//! On each node lies the list of nodes of the process that looked last. One that finds another list there says so, and leaves its
//! own: so that the processes with the other one find out as well. Lists without a node in common cannot meet.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use larder::Operation;
use tokio::{sync::watch, time::sleep};

use crate::{
    client::{Failure, Storing},
    store::{Store, ask, get_one},
};

/// How often it is looked; up to half of that more, by chance.
const PAUSE: Duration = Duration::from_secs(30);

/// For how long a list stays, in seconds: for some looks.
const KEPT: u32 = 120;

/// After so many looks in a row that found nothing else, all name the same nodes again: others may not have looked in between.
const ENOUGH: u32 = 4;

/// More of a list is not repeated.
const LONGEST: usize = 200;

/// Begins to look, until the cache is dropped.
pub(crate) fn start(store: &Arc<Store>, open: &watch::Sender<()>) {
    let (store, mut open) = (store.clone(), open.subscribe());
    tokio::spawn(async move {
        let mut peers = Peers::default();
        loop {
            peers.look(&store).await;
            tokio::select! {
                // Nothing is ever sent.
                _ = open.changed() => return,
                () = sleep(PAUSE.mul_f64(1.0 + fastrand::f64() / 2.0)) => {}
            }
        }
    });
}

/// What is known of other processes.
#[derive(Debug, Default)]
struct Peers {
    /// How many looks in a row found nothing else.
    alike: u32,
}

impl Peers {
    async fn look(&mut self, store: &Store) {
        let own = list(store);
        let looks = (0..store.nodes.len()).map(|index| exchange(store, index, &own));
        let found: Vec<_> = join_all(looks).await.into_iter().flatten().flatten().collect();
        match found.first() {
            Some(other) => {
                self.alike = 0;
                let other: String = other.chars().take(LONGEST).collect();
                let reply = format!("another process of this prefix names other nodes: {other}");
                let mend = "name the same nodes, by the same addresses, in all processes, or take another prefix with \
                            another list: processes with two lists do not see each other's invalidations";
                store.order.refused(Operation::Connect, &reply, mend);
            }
            None => {
                self.alike += 1;
                if self.alike >= ENOUGH {
                    store.order.accepted(Operation::Connect);
                }
            }
        }
    }
}

/// The nodes of this process, in the order that is the same for all who name the same ones.
fn list(store: &Store) -> String {
    store.nodes.iter().map(|node| node.address()).collect::<Vec<_>>().join(",")
}

/// Looks at the list on a node, and leaves this one in its place. Gives that of others, if it is another one.
async fn exchange(store: &Store, index: usize, own: &str) -> Result<Option<String>, Failure> {
    let (node, name) = (&store.nodes[index], store.names.peers());
    let request = async {
        let mut connection = node.connection(store.deadline).await?;
        let there = get_one(&mut connection, &name).await?;
        let other = there.filter(|item| item.data != own.as_bytes());
        let storing = Storing { name: &name, flags: 0, expires: KEPT, data: own.as_bytes() };
        connection.set(&[storing], &mut Vec::new()).await?;
        connection.give_back();
        Ok(other.map(|item| String::from_utf8_lossy(&item.data).into_owned()))
    };
    ask(node, request).await
}

#[cfg(test)]
mod tests {
    use larder_servers::MemcachedServer;

    use super::*;
    use crate::MemcachedCache;

    /// A cache, whose own task looks only once in the time that the test takes.
    async fn cache(servers: &[&MemcachedServer]) -> MemcachedCache {
        let nodes = servers.iter().map(|server| server.address().to_string());
        let cache =
            MemcachedCache::builder().nodes(nodes).deadline(Duration::from_secs(30)).connect().await.unwrap();
        // It has looked.
        Peers::default().look(cache.store()).await;
        cache
    }

    fn refusals(cache: &MemcachedCache) -> Vec<String> {
        cache.link().refusals.into_iter().map(|refusal| refusal.reply).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn processes_that_name_other_nodes_find_out() {
        let servers = [MemcachedServer::start(), MemcachedServer::start()];
        let [a, b] = [&servers[0], &servers[1]];
        let both = cache(&[a, b]).await;
        let too = cache(&[b, a]).await;
        assert_eq!((refusals(&both), refusals(&too)), (vec![], vec![]), "the order does not matter");
        let one = cache(&[a]).await;
        let (text, lists) = (refusals(&one).concat(), [a, b].map(|server| server.address().to_string()));
        assert!(lists.iter().all(|address| text.contains(address)), "{text}");
        // It left its own list.
        let mut peers = Peers::default();
        peers.look(both.store()).await;
        assert_eq!(refusals(&both).len(), 1);
        drop(one);
        let mut looks = 0;
        while !refusals(&both).is_empty() {
            peers.look(both.store()).await;
            looks += 1;
            assert!(looks < 100, "it is gone");
        }
        assert!(looks >= ENOUGH, "it might come again: {looks}");
    }
}
