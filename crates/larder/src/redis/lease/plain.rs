//! Leases where no scripts run, in several commands: two processes may take the same one if it ends between them, and
//! then compute the same key. No mark says that others wait, so that they are woken in any case.

use std::time::Duration;

use ::redis::Value;

use crate::{
    link::Operation,
    redis::{
        connection::{Command, CommandFailure, Reply},
        remote::Remote,
        script::{RemoteCall, milliseconds},
    },
    shared_leases::{LeaseHolder, LeaseRequest},
};

impl Remote {
    /// What `ACQUIRE` does, and this read in the same round trip: before the lease is taken, where that takes another one.
    pub(super) async fn acquire_plainly(
        &self,
        name: &str,
        LeaseRequest { own, outdated, lifetime, .. }: LeaseRequest,
        read: RemoteCall,
    ) -> (Option<Reply>, Option<Reply>) {
        let lifetime = milliseconds(lifetime);
        let set = || {
            let marked = [own.bytes(), b"-"].concat();
            Command::new("SET").key(name).arg(marked).arg("PX").arg(lifetime)
        };
        let there = Command::get(name);
        let left = Command::new("PTTL").key(name);
        let calls =
            [set().arg("NX"), there, left].map(|command| RemoteCall::Command(Operation::Lease, command));
        let mut replies = self.call(calls.into_iter().chain([read]).collect()).await.into_iter();
        let mut next = || replies.next();
        let (taken, there, left, found) = (next(), next(), next(), next());
        let leased = match (taken, there) {
            (Some(Ok(Value::Nil)), Some(there)) => {
                let is_taken = match &there {
                    Ok(Value::BulkString(there)) => {
                        let is_ours = there.len() == 25 && matches!(left, Some(Ok(Value::Int(1..))));
                        is_ours && LeaseHolder::parse(there) != outdated
                    }
                    // It has just ended.
                    Ok(_) => false,
                    // Something else under that name: it would hold up all processes forever.
                    Err(CommandFailure::Refused(error)) => error.code() != "WRONGTYPE",
                    Err(CommandFailure::Unavailable(_)) => true,
                };
                Some(if is_taken {
                    there
                } else {
                    self.call_one(RemoteCall::Command(Operation::Lease, set())).await
                })
            }
            (taken, _) => taken,
        };
        // As `ACQUIRE` has it: nothing was there.
        let leased =
            leased.map(|reply| reply.map(|value| if value == Value::Okay { Value::Nil } else { value }));
        (leased, found)
    }

    /// What `RENEW` does.
    pub(super) async fn renew_plainly(&self, name: &str, holder: LeaseHolder, lifetime: Duration) -> Reply {
        let renew = Command::new("PEXPIRE").key(name).arg(milliseconds(lifetime));
        self.if_held(name, holder, renew).await
    }

    /// What `RELEASE` does.
    pub(super) async fn release_plainly(&self, name: &str, holder: LeaseHolder) -> Reply {
        self.if_held(name, holder, Command::new("DEL").key(name)).await
    }

    async fn if_held(&self, name: &str, holder: LeaseHolder, command: Command) -> Reply {
        let call = |command| self.call_one(RemoteCall::Command(Operation::Lease, command));
        match call(Command::get(name)).await? {
            Value::BulkString(there) if there.get(..16) == Some(holder.token()) => call(command).await,
            _ => Ok(Value::Int(0)),
        }
    }
}
