//! Reads that take too long: no one waits for them, and while there is one, the disk is not read.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::{
    alarm,
    sync::plain::{Mutex, lock},
};

/// How long one entry may take to be read.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many there are.
#[derive(Debug, Default)]
pub(super) struct LateReads(Arc<AtomicUsize>);

/// A read, for the one who waits for it.
pub(super) struct AwaitedRead(Arc<Read>);

/// The same, for the thread that reads. It has ended when this is dropped.
pub(super) struct ReadUnderWay(Arc<Read>);

struct Read {
    late: Arc<AtomicUsize>,
    /// How many entries were read, or not found.
    entries: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Awaited,
    Late,
    Ended,
}

impl LateReads {
    /// Whether there is one.
    pub(super) fn any(&self) -> bool {
        self.0.load(SeqCst) > 0
    }

    /// A read begins.
    pub(super) fn begin(&self) -> (AwaitedRead, ReadUnderWay) {
        let (entries, state) = (AtomicUsize::new(0), Mutex::new(State::Awaited));
        let read = Arc::new(Read { late: self.0.clone(), entries, state });
        (AwaitedRead(read.clone()), ReadUnderWay(read))
    }
}

impl AwaitedRead {
    /// The output of the task that reads. None if an entry took too long: then the read is late until it has ended.
    pub(super) async fn wait<F: Future>(self, task: F) -> Option<F::Output> {
        let mut task = pin!(task);
        let read = &*self.0;
        loop {
            let before = read.entries.load(SeqCst);
            if let Some(output) = alarm::within(PATIENCE, &mut task).await {
                return Some(output);
            }
            if read.entries.load(SeqCst) == before && read.is_late() {
                return None;
            }
        }
    }
}

impl Read {
    /// Gives it up, unless it has ended.
    fn is_late(&self) -> bool {
        let mut state = lock(&self.state);
        if *state == State::Ended {
            return false;
        }
        *state = State::Late;
        self.late.fetch_add(1, SeqCst);
        true
    }
}

impl ReadUnderWay {
    /// An entry was read, or not found.
    pub(super) fn step(&self) {
        self.0.entries.fetch_add(1, SeqCst);
    }
}

impl Drop for ReadUnderWay {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        if std::mem::replace(&mut *state, State::Ended) == State::Late {
            self.0.late.fetch_sub(1, SeqCst);
        }
    }
}
