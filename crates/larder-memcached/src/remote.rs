//! Entries on their way from and to memcached.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use larder::{
    Core, Entry, Epoch, Lookup, Result, ScopeHash, ValueType,
    internal::shared::{Message, StoreOutcome},
};
use tokio::time::timeout;

use crate::{
    client::Item,
    stamp::Stamp,
    store::{Found, NewItem, Read, Store},
};

/// What stands before the message of an entry: the number of the counter before its computation began.
const HEAD: usize = size_of::<u64>();

/// What memcached takes for a span of time, and not for a date, is 30 days at most.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// An entry as it was found, and what covers it.
struct Candidate {
    message: Vec<u8>,
    stamp: Stamp,
    scopes: Vec<ScopeHash>,
}

impl Store {
    pub(crate) async fn read(
        self: &Arc<Self>,
        core: &Core,
        keys: &[Lookup<'_>],
        of: ValueType,
    ) -> Vec<Option<Entry>> {
        if tokio::runtime::Handle::try_current().is_err() {
            return vec![None; keys.len()];
        }
        let began = Instant::now();
        let own: Vec<_> = keys.iter().map(|at| own_scopes(at.key)).collect();
        let mut read = Read::new();
        let (candidates, failed) = self.candidates(keys, &own, &mut read).await;
        // Of an incarnation of the counter that is not known here nothing is valid; it may be the current one.
        let is_unknown = |candidate: &Candidate| {
            self.incarnations.epoch(candidate.stamp).is_none() && candidate.is_covered(&read)
        };
        if candidates.iter().flatten().any(is_unknown) {
            _ = timeout(self.deadline, self.look_with_others()).await;
        }
        self.entries.read_took(core, began.elapsed());
        let mut entries = Vec::with_capacity(keys.len());
        let mut misses = Vec::new();
        for (((&at, own), candidate), failed) in keys.iter().zip(own).zip(candidates).zip(failed) {
            if let Some(timed_out) = failed.filter(|_| candidate.is_none()) {
                let failed = if timed_out { StoreOutcome::TimedOut } else { StoreOutcome::Unreachable };
                self.entries.count_failed_reads(core, of, 1, failed);
                entries.push(None);
                continue;
            }
            let scopes = candidate.as_ref().map_or(own, |candidate| candidate.scopes.clone());
            let found = candidate.and_then(|candidate| candidate.judged(self, &read));
            let entry = self.entries.receive_at(core, at, of, found).await;
            if entry.is_none() {
                misses.extend(scopes);
            }
            entries.push(entry);
        }
        if !misses.is_empty() {
            self.prepare(&misses, &read).await;
        }
        entries
    }

    /// What is stored under keys. Generations are asked for with it, and those of scopes that it is known by then to have,
    /// after that. Tells too for which keys a node could not be asked, and whether it did not answer in time.
    async fn candidates(
        &self,
        keys: &[Lookup<'_>],
        own: &[Vec<ScopeHash>],
        read: &mut Read,
    ) -> (Vec<Option<Candidate>>, Vec<Option<bool>>) {
        let places: Vec<_> = keys.iter().map(|at| self.names.entry(at.key)).collect();
        let asked: HashMap<_, _> =
            own.iter().flatten().map(|scope| (*scope, self.names.generation(*scope))).collect();
        let names = places.iter().chain(asked.values()).cloned().collect();
        let found = self.get(names).await;
        let candidates: Vec<_> = places.iter().map(|place| self.candidate(found.items.get(place)?)).collect();
        take_generations(&asked, &found, read);
        let later = candidates.iter().flatten().flat_map(|candidate| &candidate.scopes);
        let later = later.filter(|scope| !asked.contains_key(scope));
        let later: HashMap<_, _> = later.map(|scope| (*scope, self.names.generation(*scope))).collect();
        if !later.is_empty() {
            take_generations(&later, &self.get(later.values().cloned().collect()).await, read);
        }
        let failed = places.iter().map(|place| found.failed.get(&self.placement.of(place)).copied());
        (candidates, failed.collect())
    }

    fn candidate(&self, item: &Item) -> Option<Candidate> {
        let (head, message) = item.data.split_first_chunk::<HEAD>()?;
        let mut scopes = self.entries.scopes_of(message)?;
        scopes.push(ScopeHash::ALL);
        let stamp = Stamp { flags: item.flags, number: u64::from_be_bytes(*head) };
        Some(Candidate { message: message.to_vec(), stamp, scopes })
    }

    /// The entry that was found, if it is valid: by the generations that are read after it.
    pub(crate) async fn judge_found(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        item: &Item,
    ) -> Option<Entry> {
        let found = match self.candidate(item) {
            Some(candidate) => {
                let names = candidate.scopes.iter().map(|scope| (*scope, self.names.generation(*scope)));
                let (names, mut read): (HashMap<_, _>, _) = (names.collect(), Read::new());
                take_generations(&names, &self.get(names.values().cloned().collect()).await, &mut read);
                candidate.judged(self, &read)
            }
            None => None,
        };
        self.entries.receive_at(core, at, of, found).await
    }

    pub(crate) async fn write(&self, core: &Core, entries: &[Entry]) -> Result<()> {
        let patience = Instant::now() + self.deadline;
        let is_inserted = |entry: &Entry| self.entries.is_replacement(entry) && !entry.is_local();
        let (inserted, computed): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(is_inserted);
        let within_reach = || self.is_within_reach();
        let (mut messages, mut outcome) =
            self.entries.messages(core, &computed, patience, &within_reach).await;
        if !inserted.is_empty() {
            let (more, inserting) = self.inserted(core, &inserted, patience).await;
            messages.extend(more);
            outcome = outcome.and(inserting);
        }
        self.store_messages(core, &messages).await;
        outcome
    }

    /// Messages of what was inserted, as far as it can be proved.
    async fn inserted(
        &self,
        core: &Core,
        entries: &[Entry],
        patience: Instant,
    ) -> (Vec<Message>, Result<()>) {
        let (within_reach, gone): (Vec<_>, Vec<_>) =
            entries.iter().cloned().partition(|entry| self.proves(entry.key()));
        let (mut messages, mut outcome) = self.entries.messages(core, &gone, patience, &|| false).await;
        if !within_reach.is_empty() {
            let proved = self.prove(&within_reach, gone.is_empty(), patience.into()).await;
            let epoch = proved.as_ref().and_then(|proved| self.incarnations.epoch(proved.stamp));
            let covers = |entry: &Entry| proved.as_ref().is_some_and(|proved| proved.covers(self, entry));
            let replacing =
                self.entries.replacements(core, &within_reach, |entry| epoch.filter(|_| covers(entry)));
            let (more, replacing) = replacing.await;
            messages.extend(more);
            outcome = outcome.and(replacing);
        }
        (messages, outcome)
    }

    async fn store_messages(&self, core: &Core, messages: &[Message]) {
        let mut items = Vec::with_capacity(messages.len());
        let mut sent = Vec::with_capacity(messages.len());
        for message in messages {
            // Without one, the counter was lost, too often since the computation began.
            let Some(stamp) = self.incarnations.stamp(message.epoch) else {
                self.entries.count(core, message, StoreOutcome::Later);
                continue;
            };
            let data = [&stamp.number.to_be_bytes()[..], &message.bytes].concat();
            let (name, expires) = (self.names.entry(&message.key), seconds(message.lifetime));
            items.push(NewItem { name, flags: stamp.flags, expires, data });
            sent.push(message);
        }
        for (message, stored) in sent.into_iter().zip(self.set(items).await) {
            let stored = match stored {
                Ok(true) => StoreOutcome::Yes,
                Ok(false) => StoreOutcome::Refused,
                Err(true) => StoreOutcome::TimedOut,
                Err(false) => StoreOutcome::Unreachable,
            };
            self.entries.count(core, message, stored);
        }
    }
}

impl Candidate {
    /// The message, and the epoch by which it is judged, if the generation of all that covers it is from before its
    /// computation began.
    fn judged(self, store: &Store, read: &Read) -> Option<(Vec<u8>, Option<Epoch>)> {
        let epoch = store.incarnations.epoch(self.stamp)?;
        self.is_covered(read).then_some((self.message, Some(epoch)))
    }

    fn is_covered(&self, read: &Read) -> bool {
        let covers = |scope| read.get(scope).is_some_and(|generation| generation.covers(self.stamp));
        self.scopes.iter().all(covers)
    }
}

fn take_generations(asked: &HashMap<ScopeHash, String>, found: &Found, read: &mut Read) {
    for (scope, name) in asked {
        read.extend(found.items.get(name).and_then(Stamp::of).map(|stamp| (*scope, stamp)));
    }
}

/// All that is known to cover a value before it is found.
pub(crate) fn own_scopes(key: &str) -> Vec<ScopeHash> {
    let own = larder::internal::own_scopes(key).into_iter().map(|(scope, _)| scope);
    own.chain([ScopeHash::ALL]).collect()
}

/// For how long memcached is to keep it: a second more, since its clock may be about to go on.
fn seconds(lifetime: Duration) -> u32 {
    let lifetime = lifetime.saturating_add(Duration::from_secs(2)).min(LONGEST);
    u32::try_from(lifetime.as_secs()).expect("30 days fit")
}
