//! Where a command goes that a node sends on.

use std::{sync::Arc, time::Duration};

use ::redis::{Cmd, Pipeline, ServerError};
use tokio::time::Instant;

use super::{super::raw_commands::words, Cluster, CommandFailure, Node, Reply, Unavailable, slots};

/// How often one command is sent elsewhere.
pub(in super::super) const REDIRECTIONS: u32 = 6;

impl Cluster {
    /// Sends a command on to where the cluster says that its key is, all within its deadline.
    pub(super) async fn follow(
        self: &Arc<Self>,
        node: &Node,
        (command, deadline): (&Cmd, Instant),
        reply: Reply,
    ) -> Reply {
        let mut reply = match reply {
            Ok(value) => return Ok(value),
            failed => failed,
        };
        let mut node = node.clone();
        for redirection in 0..REDIRECTIONS {
            let error = match &reply {
                Err(CommandFailure::Refused(error)) => error,
                Err(CommandFailure::Unavailable(_)) => {
                    self.look_again();
                    return reply;
                }
                Ok(_) => return reply,
            };
            match (error.code(), target(error, &node)) {
                ("MOVED", Some(target)) => {
                    self.look_again();
                    reply = self.link(&target).call_by(deadline, command).await;
                    node = target;
                }
                ("ASK", Some(target)) => reply = self.asking(&target, (command, deadline)).await,
                ("TRYAGAIN", _) => {
                    let pause = Duration::from_millis(2 << redirection);
                    if Instant::now() + pause >= deadline {
                        return reply;
                    }
                    tokio::time::sleep(pause).await;
                    reply = self.link(&node).call_by(deadline, command).await;
                }
                ("READONLY" | "CLUSTERDOWN" | "MASTERDOWN", _) => {
                    self.look_again();
                    return reply;
                }
                _ => return reply,
            }
        }
        reply
    }

    async fn asking(&self, target: &Node, (command, deadline): (&Cmd, Instant)) -> Reply {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(words(&["ASKING"])).add_command(command.clone());
        let replies = self.link(target).call_all_by(deadline, &pipeline).await?;
        replies.into_iter().nth(1).unwrap_or(Err(CommandFailure::Unavailable(Unavailable::Io(None))))
    }
}

/// Where an error of a node sends a command, and whether for this time only.
pub(in super::super) fn redirection(error: &ServerError, asked: &Node) -> Option<(Node, bool)> {
    let asks = match error.code() {
        "MOVED" => false,
        "ASK" => true,
        _ => return None,
    };
    Some((target(error, asked)?, asks))
}

fn target(error: &ServerError, asked: &Node) -> Option<Node> {
    slots::redirected(error.details()?, &asked.0)
}
