//! What a consumer was given and has not settled, and which part of it is next.
//!
//! Pure: no clock, no database, no code of the user's. Order per key follows from two rules: records stay in their order
//! until they are settled, and a key whose write failed is passed over with all of its records until it is tried again.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    id::WriteId,
    options::Retries,
    store::{InHand, Record},
};

/// The records of one key that are written together, the oldest first.
pub(super) struct Group<T> {
    pub(super) records: Vec<Record<T>>,
    /// How often it was tried before.
    pub(super) attempts: u32,
}

impl<T> Group<T> {
    pub(super) fn key(&self) -> &Arc<str> {
        &self.records[0].key
    }

    /// The write that it is, if it is one to be written alone.
    pub(super) fn alone(&self) -> Option<WriteId> {
        self.records[0].alone.then_some(self.records[0].id)
    }

    /// What is needed to give it up.
    pub(super) fn dead(&self) -> impl Iterator<Item = (WriteId, &Option<Arc<str>>)> {
        self.records.iter().map(|record| (record.id, &record.cache_key))
    }
}

/// Those before the first that is to be written alone, or that one, if there are none.
fn up_to_one_alone<T>(records: impl Iterator<Item = Record<T>>) -> Vec<Record<T>> {
    let mut taken: Vec<Record<T>> = Vec::new();
    for record in records {
        let alone = record.alone;
        if alone && !taken.is_empty() {
            break;
        }
        taken.push(record);
        if alone {
            break;
        }
    }
    taken
}

/// What is to be done now.
pub(super) enum Next<T> {
    Batch(Vec<Group<T>>),
    /// Nothing before then, unless more comes.
    At(Instant),
    Empty,
}

/// How batches are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batching {
    pub(super) max_batch: usize,
    pub(super) max_delay: Duration,
    /// Whether the records of one key are written as one.
    pub(super) coalesces: bool,
    pub(super) retries: Retries,
}

pub(super) struct Backlog<T> {
    batching: Batching,
    /// Each with the time when it was given.
    waiting: VecDeque<(Record<T>, Instant)>,
    /// Keys whose write failed: each is tried by itself.
    suspects: HashMap<Arc<str>, Suspect>,
    /// How many writes a batch has at most: halved with each that failed, doubled with each that was written.
    limit: usize,
    /// Single writes that failed, one after the other, with none that was written in between.
    failures: u32,
    /// Nothing is tried before.
    resume: Option<Instant>,
    /// Batches that were written, wholly or in part.
    successes: u64,
    /// Whether a suspect was tried last, in vain: others are next, which it would keep waiting for ever.
    others_first: bool,
}

struct Suspect {
    due: Instant,
    /// How often it was tried by itself.
    attempts: u32,
    /// How often it failed while others were written: an outage does not count.
    counted: u32,
    /// What was written before it failed last.
    successes: u64,
}

impl<T> Backlog<T> {
    pub(super) fn new(batching: Batching) -> Self {
        Self {
            limit: batching.max_batch,
            batching,
            waiting: VecDeque::new(),
            suspects: HashMap::new(),
            failures: 0,
            resume: None,
            successes: 0,
            others_first: false,
        }
    }

    /// How many records wait that no failure of their key holds up.
    pub(super) fn free(&self) -> usize {
        if self.suspects.is_empty() {
            return self.waiting.len();
        }
        self.waiting.iter().filter(|(record, _)| !self.suspects.contains_key(&record.key)).count()
    }

    pub(super) fn in_hand(&self) -> InHand {
        InHand { oldest: self.waiting.front().map(|(record, _)| record.id), count: self.waiting.len() }
    }

    /// Takes a record that is later than all before it.
    pub(super) fn push(&mut self, record: Record<T>, now: Instant) {
        self.waiting.push_back((record, now));
    }

    /// What is to be written now. `hurry`: whatever there is, without waiting for more.
    pub(super) fn next(&self, now: Instant, hurry: bool) -> Next<T> {
        let Some((_, arrived)) = self.waiting.front() else { return Next::Empty };
        if let Some(resume) = self.resume.filter(|resume| *resume > now) {
            return Next::At(resume);
        }
        let groups = self.groups();
        if (groups.is_empty() || !self.others_first)
            && let Some(group) = self.due_suspect(now)
        {
            return Next::Batch(vec![group]);
        }
        let first_suspect = self.suspects.values().map(|suspect| suspect.due).min();
        if groups.is_empty() {
            return Next::At(first_suspect.unwrap_or(now));
        }
        let first_suspect = first_suspect.filter(|_| !self.others_first);
        let full = *arrived + self.batching.max_delay;
        let alone = groups[0].alone().is_some();
        if hurry || alone || groups.len() >= self.limit || full <= now {
            return Next::Batch(groups);
        }
        Next::At(first_suspect.map_or(full, |due| full.min(due)))
    }

    /// The records of the key that failed and has been due for the longest time.
    fn due_suspect(&self, now: Instant) -> Option<Group<T>> {
        let due = self.suspects.iter().filter(|(_, suspect)| suspect.due <= now);
        let (key, suspect) = due.min_by_key(|(_, suspect)| suspect.due)?;
        let own = self.waiting.iter().map(|(record, _)| record).filter(|record| record.key == *key);
        let most = if self.batching.coalesces { usize::MAX } else { 1 };
        let records = up_to_one_alone(own.take(most).cloned());
        (!records.is_empty()).then_some(Group { records, attempts: suspect.attempts })
    }

    /// The records that no failure holds up, by key in the order of their first, as many as a batch may have: up to one
    /// that is to be written alone, or that one.
    fn groups(&self) -> Vec<Group<T>> {
        let mut groups: Vec<Group<T>> = Vec::new();
        let mut places: HashMap<&Arc<str>, usize> = HashMap::new();
        for (record, _) in &self.waiting {
            if self.suspects.contains_key(&record.key) {
                continue;
            }
            if record.alone {
                if groups.is_empty() {
                    groups.push(Group { records: vec![record.clone()], attempts: 0 });
                }
                break;
            }
            if let Some(&place) = places.get(&record.key).filter(|_| self.batching.coalesces) {
                groups[place].records.push(record.clone());
            } else if groups.len() < self.limit {
                places.insert(&record.key, groups.len());
                groups.push(Group { records: vec![record.clone()], attempts: 0 });
            } else if !self.batching.coalesces {
                break;
            }
        }
        groups
    }

    /// Forgets what is settled, and with it that its keys failed before; `held` are those that failed just now.
    pub(super) fn remove(&mut self, settled: &HashSet<WriteId>, held: &HashSet<Arc<str>>) {
        let suspects = &mut self.suspects;
        self.waiting.retain(|(record, _)| {
            let is_settled = settled.contains(&record.id);
            if is_settled && !suspects.is_empty() && !held.contains(&record.key) {
                suspects.remove(&record.key);
            }
            !is_settled
        });
    }

    /// The sink wrote something.
    pub(super) fn written(&mut self) {
        self.limit = self.limit.saturating_mul(2).min(self.batching.max_batch);
        self.failures = 0;
        self.resume = None;
        self.successes += 1;
        self.others_first = false;
    }

    /// The sink wrote nothing of a batch of so many. Says whether it is over with the one write that was in it: it
    /// failed often enough while others were written.
    pub(super) fn failed(&mut self, groups: &[Group<T>], now: Instant, chance: f64) -> bool {
        let Retries { attempts, .. } = self.batching.retries;
        let [single] = groups else {
            self.limit = (groups.len() / 2).max(1);
            self.resume = Some(now + self.batching.retries.pause(1, chance));
            return false;
        };
        self.failures = self.failures.saturating_add(1);
        self.resume = Some(now + self.batching.retries.pause(self.failures, chance));
        let successes = self.successes;
        let known = self.suspects.contains_key(single.key());
        self.others_first = known;
        let suspect = self.suspect(single.key(), now, chance);
        if known && successes > suspect.successes {
            suspect.counted += 1;
        }
        suspect.successes = successes;
        suspect.counted >= attempts
    }

    /// The sink wrote others of the batch and not this one. Says whether it failed often enough.
    pub(super) fn failed_alone(&mut self, key: &Arc<str>, now: Instant, chance: f64) -> bool {
        let (successes, attempts) = (self.successes, self.batching.retries.attempts);
        let suspect = self.suspect(key, now, chance);
        suspect.counted += 1;
        suspect.successes = successes;
        suspect.counted >= attempts
    }

    fn suspect(&mut self, key: &Arc<str>, now: Instant, chance: f64) -> &mut Suspect {
        let successes = self.successes;
        let suspect = self.suspects.entry(key.clone()).or_insert(Suspect {
            due: now,
            attempts: 0,
            counted: 0,
            successes,
        });
        suspect.attempts = suspect.attempts.saturating_add(1);
        suspect.due = now + self.batching.retries.pause(suspect.attempts, chance);
        suspect
    }
}
