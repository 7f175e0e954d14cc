//! Transactions: what is invalidated inside is invalidated again at the commit, and is not read from the cache before it.

use std::sync::Arc;

use larder::CacheExt;

use super::making::dawdle;
use super::{Failed, Life};
use crate::history::clock;
use crate::history::log::{Change, Outcome, Record};
use crate::history::space::{Key, MadeFrom};
use crate::history::value::Made;

impl Life {
    /// Changes some keys in one transaction. It is committed, or its scope is dropped: then it may have been committed.
    pub(super) async fn transaction(self: &Arc<Self>, random: &mut fastrand::Rng) {
        let scope = larder::deferred();
        let changed = scope.run(self.change_some(random)).await;
        dawdle(random).await;
        let called = clock::now();
        if random.u8(..4) > 0 {
            return self.follow(called, self.subject.commit(scope), changed, random).await;
        }
        drop(scope);
        self.recorder.add(&Record::Change(Change {
            called,
            returned: clock::now(),
            resolved: None,
            outcome: Outcome::Unknown,
            makes: None,
            scopes: changed,
        }));
    }

    /// Changes keys and reads them, and says what has changed.
    async fn change_some(self: &Arc<Self>, random: &mut fastrand::Rng) -> Vec<usize> {
        let mut changed = Vec::new();
        for _ in 0..random.usize(1..4) {
            let key = self.space.to_change(random);
            if self.space.keys[key].made_from == MadeFrom::Source {
                self.write(key).await;
            }
            let scope = self.space.scope_of_key(key);
            self.invalidate(vec![scope], random).await;
            changed.push(scope);
            self.read_what_has_changed(key, random).await;
        }
        changed
    }

    /// Whatever others have computed and stored since, it is not what this transaction is to read.
    async fn read_what_has_changed(self: &Arc<Self>, key: usize, random: &mut fastrand::Rng) {
        let cache = self.subject.cache();
        let Key { text, policy, .. } = &self.space.keys[key];
        dawdle(random).await;
        let found: Option<Made> = cache.get(text).await.expect("the key is a good one");
        assert!(found.is_none(), "{text} was changed in this transaction, and is read from the cache");
        let before = self.before();
        let made = cache.get_or_compute(text, policy, || self.make(key, random.fork())).await;
        let value = match made {
            Ok(value) => value,
            Err(Failed) => return self.recorder.count(|tally| tally.failures += 1),
        };
        assert!(
            value.began >= before.begin,
            "{text} was changed in this transaction, and comes from before that"
        );
        self.recorder.count(|tally| tally.in_transactions += 1);
        self.saw(before, key, Some(&value));
    }
}
