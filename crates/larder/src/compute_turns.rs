//! Turns: callers who waited for a computation whose failure cannot be given to them compute for themselves, a few of one
//! key at a time.
//!
//! Four, unless so many wait for what takes so long that the last of them would wait for more than about a second: then as
//! many as spare it that, 64 at most. No error can be made for them, so that each has to compute; to have all of them
//! wait for no more than two computations, half of them would have to compute at once.
//!
//! A place is free again a pause after its computation has ended, or ten seconds after it began, so that computations
//! that hang hold up no other caller for ever.

use std::{
    any::TypeId,
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Condvar, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use foldhash::quality::RandomState;
use tokio::sync::Notify;

use crate::{
    own_thread::OwnThread,
    panic_guard,
    sync::plain::{Mutex, lock},
};

/// How many of one key compute at once, …
const FEW: usize = 4;

/// … and how many at most, where more are needed for the last one to have its turn within …
const MANY: usize = 64;

/// … this time.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a place stays empty.
const PAUSE: Duration = Duration::from_millis(5);

/// For how long one computation has a place.
const LONGEST: Duration = Duration::from_secs(10);

/// The number of a turn that has no place.
const BEYOND: u64 = 0;

/// What is computed: a key, and the type of its value.
pub(crate) type Work = (Arc<str>, TypeId);

/// The turns of one cache.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<Work, Weak<Queue>, RandomState>>);

/// Those who wait for a turn to compute one key.
#[derive(Debug)]
struct Queue {
    turns: Weak<Turns>,
    work: Work,
    places: Mutex<Places>,
    is_free: Notify,
    waiting: AtomicU32,
}

/// One who waits is counted.
struct Waiting<'q>(&'q Queue);

#[derive(Debug)]
struct Places {
    /// How many there are: never fewer than there were, for as long as there is the queue.
    room: usize,
    /// The numbers of the turns that have one, and when it is free again.
    taken: Vec<(u64, Instant)>,
    given: u64,
}

impl Default for Places {
    fn default() -> Self {
        Self { room: FEW, taken: Vec::new(), given: 0 }
    }
}

/// A turn. Another caller has it some time after this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    queue: Arc<Queue>,
    number: u64,
    began: Instant,
}

impl Turns {
    /// Waits for a turn.
    pub(crate) async fn take(self: &Arc<Self>, work: Work) -> Turn {
        let queue = self.queue(work);
        let _waiting = Waiting::new(&queue);
        loop {
            let mut is_free = pin!(queue.is_free.notified());
            is_free.as_mut().enable();
            // Where no thread can be had that frees places, none is waited for.
            let number = queue.take_place().or_else(|| (!look_after(&queue, false)).then_some(BEYOND));
            if let Some(number) = number {
                return Turn { queue: queue.clone(), number, began: Instant::now() };
            }
            is_free.await;
        }
    }

    fn queue(self: &Arc<Self>, work: Work) -> Arc<Queue> {
        let queue = {
            let mut queues = lock(&self.0);
            if let Some(queue) = queues.get(&work).and_then(Weak::upgrade) {
                return queue;
            }
            let turns = Arc::downgrade(self);
            let (places, is_free, waiting) = (Mutex::default(), Notify::new(), AtomicU32::default());
            let queue = Arc::new(Queue { turns, work: work.clone(), places, is_free, waiting });
            queues.insert(work, Arc::downgrade(&queue));
            queue
        };
        look_after(&queue, true);
        queue
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

impl Queue {
    fn take_place(&self) -> Option<u64> {
        let mut places = lock(&self.places);
        if places.taken.len() >= places.room {
            return None;
        }
        places.given += 1;
        let number = places.given;
        places.taken.push((number, Instant::now() + LONGEST));
        Some(number)
    }

    /// Frees what is due, and wakes as many as there is room for. Again and again while there is room, so that one that
    /// was woken, and is not polled, holds up no other.
    fn clear(&self) {
        let free = {
            let mut places = lock(&self.places);
            let now = Instant::now();
            places.taken.retain(|(_, free_at)| *free_at > now);
            places.room.saturating_sub(places.taken.len())
        };
        (0..free).for_each(|_| self.is_free.notify_one());
    }
}

/// How many have to compute at once for the last of those who wait to have its turn in time.
fn room_for(waiting: u32, took: Duration) -> usize {
    let all = took.saturating_add(PAUSE).saturating_mul(waiting);
    let needed = all.as_millis().div_ceil(PATIENCE.as_millis());
    usize::try_from(needed).unwrap_or(MANY).clamp(FEW, MANY)
}

impl<'q> Waiting<'q> {
    fn new(queue: &'q Queue) -> Self {
        queue.waiting.fetch_add(1, Ordering::Relaxed);
        Self(queue)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let room = room_for(self.queue.waiting.load(Ordering::Relaxed), self.began.elapsed());
        let mut places = lock(&self.queue.places);
        places.room = places.room.max(room);
        if let Some((_, free_at)) = places.taken.iter_mut().find(|(number, _)| *number == self.number) {
            *free_at = Instant::now() + PAUSE;
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let Some(turns) = self.turns.upgrade() else { return };
        let mut queues = lock(&turns.0);
        // There may be a new one.
        if queues.get(&self.work).is_some_and(|queue| queue.strong_count() == 0) {
            queues.remove(&self.work);
        }
    }
}

struct Clearer {
    queues: Vec<Weak<Queue>>,
    thread: OwnThread,
}

static CLEARER: Mutex<Clearer> = Mutex::new(Clearer { queues: Vec::new(), thread: OwnThread::NONE });
static CALLED: Condvar = Condvar::new();

/// Frees the places of a queue when their time has come. By a thread: not every runtime has timers, nor every caller a
/// runtime. False if there is none.
fn look_after(queue: &Arc<Queue>, is_new: bool) -> bool {
    let mut clearer = lock(&CLEARER);
    let is_missing = clearer.thread.is_missing();
    if is_new || is_missing {
        clearer.queues.push(Arc::downgrade(queue));
    }
    drop(clearer);
    if is_new && !is_missing {
        CALLED.notify_one();
    }
    let runs = !is_missing || thread::Builder::new().name("larder-turns".to_owned()).spawn(clear).is_ok();
    if !runs {
        // The next one tries again.
        lock(&CLEARER).thread.failed();
    }
    runs
}

fn clear() {
    loop {
        let mut queues = {
            let mut clearer = lock(&CLEARER);
            while clearer.queues.is_empty() {
                clearer = CALLED.wait(clearer).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::take(&mut clearer.queues)
        };
        thread::sleep(PAUSE);
        queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            // It wakes others, which is foreign code.
            let _ = panic_guard::contain(|| queue.clear());
            true
        });
        lock(&CLEARER).queues.append(&mut queues);
    }
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;
    use crate::block_on::block_on;

    #[test]
    fn places_are_freed_and_queues_forgotten() {
        let turns = Arc::new(Turns::default());
        let work = (Arc::from("key"), TypeId::of::<u8>());
        for _ in 0..3 {
            let taken: Vec<_> = (0..FEW).map(|_| block_on(turns.take(work.clone()))).collect();
            assert_eq!(turns.len(), 1);
            drop(taken);
        }
        let start = Instant::now();
        while turns.len() > 0 {
            assert!(start.elapsed() < Duration::from_secs(20), "the queue stays");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn there_are_no_more_places_than_spare_the_last_one_a_long_wait() {
        let ms = Duration::from_millis;
        assert_eq!(room_for(10, ms(20)), FEW);
        assert_eq!(room_for(150, ms(20)), FEW);
        assert_eq!(room_for(1_000, ms(20)), 25);
        assert_eq!(room_for(1_000, ms(500)), MANY);
        assert_eq!(room_for(u32::MAX, Duration::MAX), MANY);
        assert_eq!(room_for(0, Duration::MAX), FEW);
    }

    #[test]
    fn one_that_is_not_polled_holds_up_no_other() {
        let turns = Arc::new(Turns::default());
        let work = (Arc::from("key"), TypeId::of::<u8>());
        let taken: Vec<_> = (0..FEW).map(|_| block_on(turns.take(work.clone()))).collect();
        let mut left: Vec<_> = (0..10).map(|_| Box::pin(turns.take(work.clone()))).collect();
        for waiting in &mut left {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(waiting.as_mut().poll(&mut context).is_pending());
        }
        drop(taken);
        drop(block_on(turns.take(work)));
    }
}
