//! Changes, of every kind.

use std::sync::Arc;

use larder::{CacheExt, Scope};

use super::Life;
use super::making::dawdle;
use crate::history::clock::{self, Moment};
use crate::history::log::{Change, Outcome, Record, Write};
use crate::history::space::{Key, MadeFrom, NAMESPACE, ONE_IS_QUIET};
use crate::history::subject::Coming;
use crate::history::value::Made;

impl Life {
    pub(super) async fn any_change(self: &Arc<Self>, random: &mut fastrand::Rng) {
        if random.u32(..ONE_IS_QUIET) == 0 {
            return self.change_quiet(random).await;
        }
        let key = self.space.to_change(random);
        match random.u8(..100) {
            0..10 => self.insert(random).await,
            10..20 => self.insert_since(key, random).await,
            20..24 => self.transaction(random).await,
            24 => self.change_while_disabled(key, random).await,
            _ => self.change(key, random).await,
        }
    }

    /// Invalidates all that this process may have written in an earlier life: what it had not told yet by its end
    /// is known to no process. It is promised to others once it is delivered, like everything else.
    pub async fn make_good(self: Arc<Self>) {
        let mut random = fastrand::Rng::new();
        for (number, key) in self.space.keys.iter().enumerate() {
            if !matches!(key.made_from, MadeFrom::Keys(_)) {
                self.invalidate(vec![self.space.scope_of_key(number)], &mut random).await;
            }
        }
    }

    pub(super) async fn write(&self, key: usize) -> u64 {
        let begin = clock::now();
        let version = self.source.raise(key).await;
        self.recorder.add(&Record::Write(Write { begin, end: clock::now(), key, version }));
        version
    }

    /// Writes to the source, where that is this process' business, and then invalidates something that covers
    /// the key.
    pub(super) async fn change(&self, key: usize, random: &mut fastrand::Rng) {
        if self.space.keys[key].made_from == MadeFrom::Source && random.u8(..5) > 0 {
            self.write(key).await;
        }
        self.invalidate_some(key, random).await;
    }

    /// Nothing is read from the cache or stored there, and what changes is told all the same.
    async fn change_while_disabled(&self, key: usize, random: &mut fastrand::Rng) {
        self.subject.cache().disable();
        self.change(key, random).await;
        dawdle(random).await;
        self.subject.cache().enable();
    }

    /// Writes a quiet key, and invalidates it with all others: on the server, entries under a prefix or a tag stay.
    async fn change_quiet(&self, random: &mut fastrand::Rng) {
        let key = self.space.any_quiet(random);
        self.write(key).await;
        let wide = &self.space.keys[key].scopes[2..];
        self.invalidate(vec![wide[random.usize(..wide.len())]], random).await;
    }

    async fn invalidate_some(&self, key: usize, random: &mut fastrand::Rng) {
        let own = self.space.scope_of_key(key);
        let scopes = &self.space.keys[key].scopes;
        // Wide ones less often, or there would be nothing to find.
        let wide = if self.space.is_cold(key) { 1 } else { 9 };
        let scope = match random.u16(..12_000) {
            0 => 0,
            number if number < wide * 200 => scopes[random.usize(1..scopes.len())],
            _ => own,
        };
        let mut scopes = vec![scope];
        if random.u8(..8) == 0 {
            scopes.push(own);
        }
        match random.u8(..5) {
            0 => self.mark_stale(scopes, random).await,
            _ => self.invalidate(scopes, random).await,
        }
    }

    async fn mark_stale(&self, scopes: Vec<usize>, random: &mut fastrand::Rng) {
        let what: Vec<Scope> = scopes.iter().map(|&scope| self.space.scopes[scope].clone()).collect();
        let marks = scopes.into_iter().map(|scope| self.space.mark_of(scope)).collect();
        let called = clock::now();
        let coming = self.subject.mark_stale(&what);
        self.follow(called, coming, marks, random).await;
    }

    pub(super) async fn invalidate(&self, scopes: Vec<usize>, random: &mut fastrand::Rng) {
        let what: Vec<Scope> = scopes.iter().map(|&scope| self.space.scopes[scope].clone()).collect();
        let bumps = what == [Scope::prefix(NAMESPACE)] && random.bool();
        let called = clock::now();
        let coming = if bumps { self.subject.bump() } else { self.subject.invalidate(&what) };
        self.follow(called, coming, scopes, random).await;
    }

    /// Takes down a change, and what becomes of it.
    pub(super) async fn follow(
        &self,
        called: Moment,
        coming: Coming,
        scopes: Vec<usize>,
        random: &mut fastrand::Rng,
    ) {
        let returned = clock::now();
        let mut change =
            Change { called, returned, resolved: None, outcome: Outcome::Unknown, makes: None, scopes };
        if random.u8(..6) == 0 {
            drop(coming);
        } else {
            change.outcome = coming.await;
            change.resolved = Some(clock::now());
        }
        if let Outcome::Delivered(epoch @ 1..) = change.outcome {
            self.source.tell(epoch).await;
        }
        self.recorder.add(&Record::Change(change));
    }

    /// Writes to the source, and inserts what was written. Only for keys that no other worker writes, one after the
    /// other: what is inserted counts as read at the call, so it has to be the current version.
    async fn insert(&self, random: &mut fastrand::Rng) {
        let own = |key: &Key| key.made_from == MadeFrom::SourceOf(self.config.process);
        let keys: Vec<usize> = (0..self.space.keys.len()).filter(|key| own(&self.space.keys[*key])).collect();
        let Some(&key) = random.choice(&keys) else { return };
        let _only = self.writers[key].lock().await;
        let version = Some(self.write(key).await);
        let began = clock::now();
        let value = Made { id: self.next_value(), key, began, version, inserted: true, parts: Vec::new() };
        self.put_in(key, None, &value).await;
    }

    /// Inserts what was read at the source after a point.
    pub(super) async fn insert_since(&self, key: usize, random: &mut fastrand::Rng) {
        if matches!(self.space.keys[key].made_from, MadeFrom::Keys(_)) {
            return;
        }
        let since = self.subject.cache().begin();
        let began = clock::now();
        let version = Some(self.source.version(key).await);
        dawdle(random).await;
        let value = Made { id: self.next_value(), key, began, version, inserted: false, parts: Vec::new() };
        self.put_in(key, Some(since), &value).await;
    }

    async fn put_in(&self, key: usize, since: Option<larder::ReadVersion>, value: &Made) {
        let Key { text, policy, .. } = &self.space.keys[key];
        let called = clock::now();
        self.subject.insert(since, text, value, policy).await;
        let returned = clock::now();
        self.recorder.add(&Record::Change(Change {
            called,
            returned,
            resolved: None,
            outcome: Outcome::Unknown,
            makes: Some(value.id),
            scopes: vec![self.space.scope_of_key(key)],
        }));
    }
}
