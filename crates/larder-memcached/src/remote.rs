//! Entries on their way from and to memcached.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use larder::{
    Core, Entry, Epoch, Lookup, Result, ScopeHash, ValueType,
    internal::shared::{StoreOutcome, is_replacement, replaced, scopes_of},
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
    pub(crate) async fn read(&self, core: &Core, keys: &[Lookup<'_>], of: ValueType) -> Vec<Option<Entry>> {
        if tokio::runtime::Handle::try_current().is_err() {
            return vec![None; keys.len()];
        }
        let began = Instant::now();
        let own: Vec<_> = keys.iter().map(|at| own_scopes(at.key)).collect();
        let mut read = Read::new();
        let (candidates, failed) = self.candidates(keys, &own, &mut read).await;
        self.entries.read_took(core, began.elapsed());
        let mut entries = Vec::with_capacity(keys.len());
        let mut misses = Vec::new();
        for (((&at, own), candidate), failed) in keys.iter().zip(own).zip(candidates).zip(failed) {
            if let Some(timed_out) = failed {
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
        let mut found = self.get(names).await;
        let candidates: Vec<_> =
            places.iter().map(|place| self.candidate(found.items.remove(place)?)).collect();
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

    fn candidate(&self, item: Item) -> Option<Candidate> {
        let (head, message) = item.data.split_first_chunk::<HEAD>()?;
        let mut scopes = self.entries.scopes_of(message)?;
        scopes.push(ScopeHash::ALL);
        let stamp = Stamp { flags: item.flags, number: u64::from_be_bytes(*head) };
        Some(Candidate { message: message.to_vec(), stamp, scopes })
    }

    pub(crate) async fn write(&self, core: &Core, entries: &[Entry]) -> Result<()> {
        let patience = Instant::now() + self.deadline;
        if self.is_within_reach() {
            self.prepare_replacements(entries, patience).await;
        }
        let (messages, outcome) =
            self.entries.messages(core, entries, patience, &|| self.is_within_reach()).await;
        let mut items = Vec::with_capacity(messages.len());
        let mut sent = Vec::with_capacity(messages.len());
        for message in &messages {
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
        outcome
    }

    /// What was inserted is stored by what the counter is after its own invalidation, and by generations that began after it.
    async fn prepare_replacements(&self, entries: &[Entry], patience: Instant) {
        let inserted = entries.iter().filter(|entry| is_replacement(entry) && !entry.is_local());
        let mut scopes = Vec::new();
        for entry in inserted {
            let left = patience.saturating_duration_since(Instant::now());
            if timeout(left, replaced(entry)).await.is_ok() {
                scopes.extend(scopes_of(entry).iter().chain([&ScopeHash::ALL]));
            }
        }
        if !scopes.is_empty() {
            self.begin(scopes).await;
        }
    }
}

impl Candidate {
    /// The message, and the epoch by which it is judged, if the generation of all that covers it is from before its
    /// computation began.
    fn judged(self, store: &Store, read: &Read) -> Option<(Vec<u8>, Option<Epoch>)> {
        let epoch = store.incarnations.epoch(self.stamp)?;
        let covers = |scope| read.get(scope).is_some_and(|generation| generation.covers(self.stamp));
        self.scopes.iter().all(covers).then_some((self.message, Some(epoch)))
    }
}

fn take_generations(asked: &HashMap<ScopeHash, String>, found: &Found, read: &mut Read) {
    for (scope, name) in asked {
        read.extend(found.items.get(name).and_then(Stamp::of).map(|stamp| (*scope, stamp)));
    }
}

/// All that is known to cover a value before it is found.
fn own_scopes(key: &str) -> Vec<ScopeHash> {
    let own = larder::internal::own_scopes(key).into_iter().map(|(scope, _)| scope);
    own.chain([ScopeHash::ALL]).collect()
}

/// For how long memcached is to keep it: a second more, since its clock may be about to go on.
fn seconds(lifetime: Duration) -> u32 {
    let lifetime = lifetime.saturating_add(Duration::from_secs(2)).min(LONGEST);
    u32::try_from(lifetime.as_secs()).expect("30 days fit")
}
