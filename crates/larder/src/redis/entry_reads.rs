//! Reads of entries, as few commands as the servers take for them.

use ::redis::Value;

use super::{
    connection::{Command, CommandFailure, ReplicaReply, Reply},
    remote::Remote,
};
use crate::cache_core::Lookup;

/// Keys that one command reads or stores: a server executes nothing else meanwhile.
const TOGETHER: usize = 250;

/// Commands that read entries.
pub(super) struct EntryReads {
    pub(super) commands: Vec<Command>,
    pub(super) spread: Spread,
}

/// How many keys each of them reads.
pub(super) struct Spread {
    keys: usize,
    together: usize,
}

impl Remote {
    /// What reads the entry of a key.
    pub(super) fn entry_read(&self, key: &str) -> Command {
        Command::get(&self.names.entry_name(key))
    }

    /// What reads the entries of these keys.
    pub(super) fn entry_reads(&self, keys: &[Lookup<'_>]) -> EntryReads {
        let capabilities = &self.findings.capabilities;
        // Without `GET`, one entry cannot be read: several are not either.
        let has_one = capabilities.has_mget() && capabilities.has_get();
        let together = if has_one { self.keys_together() } else { 1 };
        let command = |keys: &[Lookup<'_>]| match keys {
            [at] => self.entry_read(at.key),
            _ => Command::get_all(keys.iter().map(|at| self.names.entry_name(at.key))),
        };
        let commands = keys.chunks(together).map(command).collect();
        EntryReads { commands, spread: Spread { keys: keys.len(), together } }
    }

    /// How many keys one command may have. In a Cluster they have to lie in one slot.
    pub(super) fn keys_together(&self) -> usize {
        let lie_apart = self.config.is_cluster() || self.findings.capabilities.keys_lie_apart();
        if lie_apart { 1 } else { TOGETHER }
    }

    /// Notes if the server says that one command may not read several keys: the next reads take one for each.
    pub(super) fn note_refused_reads<'r>(
        &self,
        spread: &Spread,
        replies: impl IntoIterator<Item = &'r Reply>,
    ) {
        if spread.together == 1 {
            return;
        }
        for failure in replies.into_iter().filter_map(|reply| reply.as_ref().err()) {
            self.findings.capabilities.learn_where_keys_lie(failure);
            if matches!(failure, CommandFailure::Refused(_)) {
                self.findings.capabilities.lose_mget();
            }
        }
    }
}

impl Spread {
    /// A reply for each key, of the replies to the commands.
    pub(super) fn over(&self, replies: Vec<Reply>) -> Vec<Reply> {
        self.over_any(replies, |reply, keys| match reply {
            // One of another length says nothing of any key.
            Ok(Value::Array(values)) if values.len() == keys => values.into_iter().map(Ok).collect(),
            Ok(value) if keys == 1 => vec![Ok(value)],
            Ok(_) => vec![Ok(Value::Nil); keys],
            Err(failure) => vec![Err(failure); keys],
        })
    }

    /// The same of replicas.
    pub(super) fn over_replicas(&self, replies: Vec<ReplicaReply>) -> Vec<ReplicaReply> {
        let split = |reply: ReplicaReply, keys| match reply {
            Some(reply) => Self { keys, ..*self }.over(vec![reply]).into_iter().map(Some).collect(),
            None => vec![None; keys],
        };
        self.over_any(replies, split)
    }

    fn over_any<R>(&self, replies: Vec<R>, split: impl Fn(R, usize) -> Vec<R>) -> Vec<R> {
        if self.together == 1 {
            return replies;
        }
        let mut left = self.keys;
        let parts = replies.into_iter().flat_map(|reply| {
            let keys = left.min(self.together);
            left -= keys;
            split(reply, keys)
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::connection::Unavailable;

    #[test]
    fn each_key_has_the_reply_to_its_command() {
        let keys = TOGETHER + 2;
        let spread = Spread { keys, together: TOGETHER };
        let value = |number| Value::Int(number);
        let first = Value::Array(vec![value(1); TOGETHER]);
        let all = spread.over(vec![Ok(first.clone()), Ok(Value::Array(vec![value(2), Value::Nil]))]);
        assert_eq!(all.len(), keys);
        let at = |replies: &[Reply], index: usize| replies[index].as_ref().ok().cloned();
        assert_eq!(at(&all, TOGETHER - 1), Some(value(1)));
        assert_eq!([at(&all, TOGETHER), at(&all, TOGETHER + 1)], [Some(value(2)), Some(Value::Nil)]);

        // One that failed, and one of another length, are those of their own keys alone.
        let late = || Err(CommandFailure::Unavailable(Unavailable::Deadline));
        let all = spread.over(vec![late(), Ok(Value::Array(vec![value(2)]))]);
        assert!(all.len() == keys && all[..TOGETHER].iter().all(Result::is_err));
        assert_eq!([at(&all, TOGETHER), at(&all, TOGETHER + 1)], [Some(Value::Nil), Some(Value::Nil)]);

        let all = spread.over_replicas(vec![None, Some(Ok(Value::Array(vec![value(2); 2])))]);
        assert!(all.len() == keys && all[..TOGETHER].iter().all(Option::is_none));
        assert!(all[TOGETHER..].iter().all(|reply| matches!(reply, Some(Ok(Value::Int(2))))));
        let single = Spread { keys: TOGETHER + 1, together: TOGETHER };
        let all = single.over_replicas(vec![Some(Ok(first)), Some(Ok(Value::Nil))]);
        assert!(matches!(all.last(), Some(Some(Ok(Value::Nil)))) && all.len() == TOGETHER + 1);
    }
}
