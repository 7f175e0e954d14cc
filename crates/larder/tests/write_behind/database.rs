//! A database that does what a test needs of it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use larder::write_behind::{Batch, Sink, SinkError, WriteBehind, WriteBehindBuilder, WriteId};

/// Longer than anything here takes, however busy the machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What the database does with the next batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    #[default]
    Well,
    Away,
    Panics,
    Hangs,
}

#[derive(Debug, Default)]
struct State {
    mood: Mood,
    /// After so many batches it is away.
    left: Option<u64>,
    /// Keys that it does not take: the whole batch fails with one of them.
    poison: HashSet<String>,
    /// Keys that it names as failed, and whether for good.
    failing: BTreeMap<String, bool>,
    batches: Vec<Vec<(String, u64, WriteId)>>,
    tried: u64,
    dropped: u64,
}

/// Rows, and all that was asked of it. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Database(Arc<Mutex<State>>);

impl Database {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Writes so many batches more, and is away then.
    pub(crate) fn takes(&self, batches: u64) {
        let mut state = self.state();
        (state.mood, state.left) = (Mood::Well, Some(batches));
    }

    pub(crate) fn poison(&self, key: &str) {
        self.state().poison.insert(key.to_owned());
    }

    pub(crate) fn fails(&self, key: &str, for_good: bool) {
        self.state().failing.insert(key.to_owned(), for_good);
    }

    pub(crate) fn heal(&self) {
        let mut state = self.state();
        (state.mood, state.left, state.poison, state.failing) = Default::default();
    }

    /// Batches that it wrote, wholly or in part: keys and values.
    pub(crate) fn batches(&self) -> Vec<Vec<(String, u64)>> {
        let plain = |batch: &Vec<(String, u64, WriteId)>| {
            batch.iter().map(|(key, value, _)| (key.clone(), *value)).collect()
        };
        self.state().batches.iter().map(plain).collect()
    }

    /// All values that it wrote for a key, one after the other.
    pub(crate) fn history(&self, key: &str) -> Vec<u64> {
        let state = self.state();
        let writes = state.batches.iter().flatten();
        writes.filter(|(written, ..)| written == key).map(|(_, value, _)| *value).collect()
    }

    pub(crate) fn ids(&self, key: &str) -> Vec<WriteId> {
        let state = self.state();
        state.batches.iter().flatten().filter(|(written, ..)| written == key).map(|(.., id)| *id).collect()
    }

    pub(crate) fn row(&self, key: &str) -> Option<u64> {
        self.history(key).last().copied()
    }

    pub(crate) fn tried(&self) -> u64 {
        self.state().tried
    }

    /// Batches that were broken off.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }
}

struct Counted(Database);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.state().dropped += 1;
    }
}

#[async_trait]
impl Sink<u64> for Database {
    async fn write(&self, batch: Batch<u64>) -> Result<(), SinkError> {
        let mood = {
            let mut state = self.state();
            state.tried += 1;
            match &mut state.left {
                Some(0) => Mood::Away,
                Some(left) => {
                    *left -= 1;
                    state.mood
                }
                None => state.mood,
            }
        };
        match mood {
            Mood::Well => {}
            Mood::Away => return Err(SinkError::batch("the database is away")),
            Mood::Panics => panic!("on purpose, in a sink"),
            Mood::Hangs => {
                let _counted = Counted(self.clone());
                std::future::pending::<()>().await;
            }
        }
        let mut state = self.state();
        if let Some(write) = batch.iter().find(|write| state.poison.contains(write.key())) {
            return Err(SinkError::batch(format!("{} breaks a constraint", write.key())));
        }
        let mut error = SinkError::items();
        let mut failed = HashSet::new();
        for (index, write) in batch.iter().enumerate() {
            match state.failing.get(write.key()) {
                Some(true) => error = error.rejected(index, "never"),
                Some(false) => error = error.failed(index, "not now"),
                None => continue,
            }
            failed.insert(index);
        }
        let written = batch.iter().enumerate().filter(|(index, _)| !failed.contains(index));
        let written =
            written.map(|(_, write)| (write.key().to_owned(), *write.value(), write.id())).collect();
        state.batches.push(written);
        if failed.is_empty() { Ok(()) } else { Err(error) }
    }
}

/// A queue in memory that does not wait.
pub(crate) fn builder() -> WriteBehindBuilder<u64> {
    WriteBehind::builder("rows").max_delay(ms(1)).retry_pauses(ms(1), ms(20))
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < LONG, "the condition at {caller} never came true");
            tokio::time::sleep(ms(1)).await;
        }
    }
}
