//! What one node knows of its cluster: `CLUSTER NODES`.

use super::server::RedisServer;

/// One line of the reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) port: u16,
    pub(super) myself: bool,
    pub(super) master: bool,
    /// Suspected or known to be down, or not yet introduced.
    pub(super) troubled: bool,
    /// The ID of a replica's master.
    pub(super) follows: Option<String>,
    pub(super) slots: Vec<(u16, u16)>,
}

impl Node {
    pub(super) fn holds(&self, slot: u16) -> bool {
        self.slots.iter().any(|&(first, last)| (first..=last).contains(&slot))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let id = words.next()?.to_owned();
        let port = words.next()?.split('@').next()?.rsplit(':').next()?.parse().ok()?;
        let flags: Vec<&str> = words.next()?.split(',').collect();
        let follows = words.next().filter(|&id| id != "-").map(str::to_owned);
        // The times of ping and pong, the epoch, and the link's state come before the slots.
        let slots = words.skip(4).filter_map(range).collect();
        let troubled = ["fail", "fail?", "handshake", "noaddr"].iter().any(|flag| flags.contains(flag));
        let (myself, master) = (flags.contains(&"myself"), flags.contains(&"master"));
        Some(Self { id, port, myself, master, troubled, follows, slots })
    }
}

/// `5` or `0-5460`; a slot on its way elsewhere, `[5->-<id>]`, is none.
fn range(word: &str) -> Option<(u16, u16)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// All nodes that a server knows of, sorted by their ports, if it is up.
pub(super) fn nodes(server: &RedisServer) -> Option<Vec<Node>> {
    if !server.is_up() {
        return None;
    }
    let text: String = server.try_command(&["CLUSTER", "NODES"]).ok()?;
    let mut nodes = text.lines().map(Node::parse).collect::<Option<Vec<_>>>()?;
    nodes.sort_by_key(|node| node.port);
    Some(nodes)
}

/// The server's own line, if it is up.
pub(super) fn myself(server: &RedisServer) -> Option<Node> {
    nodes(server)?.into_iter().find(|node| node.myself)
}
