//! What asks the servers.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    config::Config,
    connection::{Command, CommandFailure, Connections, Reply, Unavailable},
    heartbeat_fields::LastTidying,
    key_names::KeyNames,
    log::RedisLog,
    refusal,
    server_findings::Findings,
};
use crate::{
    followed_log::FollowedLog,
    link::Operation,
    shared_entries::{Sealing, SharedEntries},
    shared_leases::Leases,
};

/// What the clones of a cache share, and a cache in front of it too.
pub(crate) struct Remote {
    pub(super) connections: Connections,
    pub(super) log: Arc<RedisLog>,
    pub(super) followed: FollowedLog,
    pub(super) names: KeyNames,
    pub(super) entries: SharedEntries,
    pub(super) sealing: Sealing,
    pub(super) leases: Leases,
    pub(super) last_tidying: LastTidying,
    /// What was found out about the servers.
    pub(super) findings: Arc<Findings>,
    /// For connections of their own, and to tell one log from another.
    pub(super) config: Arc<Config>,
    pub(super) deadline: Duration,
    pub(super) reads_replicas: bool,
    /// Whether a prefix was named, that others are not likely to have too.
    pub(super) has_own_prefix: bool,
}

impl Remote {
    /// Whether it is worth waiting for Redis at all.
    pub(super) fn is_within_reach(&self) -> bool {
        tokio::runtime::Handle::try_current().is_ok()
            && self.log.is_heard()
            && self.connections.is_within_reach()
    }

    /// Whether a call has just waited for Redis in vain. What a caller can do without is not tried then: it would
    /// wait once more. Reads are tried, and so find out when Redis is back.
    pub(super) fn has_just_failed(&self) -> bool {
        self.findings.recent_timeout.is_recent()
    }

    /// Sends one command.
    pub(super) async fn send(&self, operation: Operation, command: &Command) -> Reply {
        self.send_now(Instant::now(), operation, command).await
    }

    /// The same, for one who has just looked at the clock.
    pub(super) async fn send_now(&self, now: Instant, operation: Operation, command: &Command) -> Reply {
        let reply = match self.has(command) {
            true => self.connections.call_now(now, command).await,
            false => Err(Unavailable::Get.into()),
        };
        self.note(operation, &reply);
        reply
    }

    /// Sends several, in one round trip.
    pub(super) async fn send_many(&self, operation: Operation, commands: Vec<Command>) -> Vec<Reply> {
        let replies = self.send_known(self.connections.deadline(), commands).await;
        replies.iter().for_each(|reply| self.note(operation, reply));
        replies
    }

    /// Sends what the servers have, in one round trip that ends then.
    pub(super) async fn send_known(&self, deadline: Instant, commands: Vec<Command>) -> Vec<Reply> {
        if commands.iter().all(|command| self.has(command)) {
            return self.connections.call_many_by(deadline, commands).await;
        }
        let are_known: Vec<_> = commands.iter().map(|command| self.has(command)).collect();
        let (known, _): (_, Vec<_>) = commands.into_iter().partition(|command| !command.is_get());
        let mut replies = self.connections.call_many_by(deadline, known).await.into_iter();
        let reply = |is_known| if is_known { replies.next() } else { Some(Err(Unavailable::Get.into())) };
        are_known.into_iter().filter_map(reply).collect()
    }

    /// Whether the servers have a command, as far as that is asked.
    fn has(&self, command: &Command) -> bool {
        self.findings.capabilities.has_get() || !command.is_get()
    }

    pub(super) fn note(&self, operation: Operation, reply: &Reply) {
        let refusals = &self.findings.refusals;
        match reply {
            Err(CommandFailure::Unavailable(Unavailable::Deadline)) => self.findings.recent_timeout.note(),
            Err(CommandFailure::Unavailable(Unavailable::Get)) => refusals.again(operation),
            Err(CommandFailure::Unavailable(_)) => {}
            Ok(_) => {
                self.findings.recent_timeout.clear();
                refusals.accepted(operation);
            }
            Err(CommandFailure::Refused(error)) => {
                self.findings.recent_timeout.clear();
                let text = refusal::plain(error);
                if let Some(mend) = refusal::mend(&text) {
                    refusals.refused(operation, &text, mend);
                }
            }
        }
    }

    /// Whether servers can be asked that were reached before, or may be.
    pub(super) fn reaches(self: &Arc<Self>) -> impl Fn() -> bool + use<> {
        let remote = self.clone();
        move || remote.connections.is_within_reach()
    }
}
