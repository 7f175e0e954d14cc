//! What can happen to the bytes on one way.

use std::time::Duration;

/// One of the two ways through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server: requests.
    ToServer,
    /// From the server to the client: replies.
    ToClient,
}

/// What happens to the bytes on one way, on the connections that exist and on new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing: they pass.
    #[default]
    None,
    /// They arrive so much later, in order, however many they are. What is on its way when the fault is
    /// lifted keeps its delay.
    Delay(Duration),
    /// So many bytes a second arrive, on each connection. What a network would hold of the rest is little.
    Throttle(u64),
    /// They wait, and arrive when the fault is lifted. With this a test decides what overtakes what.
    Hold,
    /// They vanish, and so does the end of a connection. TCP never goes on after a gap, so a connection
    /// that lost something is cut when the fault is lifted.
    Swallow,
    /// So many bytes pass on each connection, from now on; the next one cuts it.
    CutAfter(u64),
    /// Each of these words becomes one that means nothing: its last letter but one is another. For what a service hides
    /// of its server. A word that is read in two parts passes.
    Hide(&'static [&'static str]),
}
