//! What a process does at random.

mod changes;
mod making;
mod reads;
mod streams;
mod transactions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::clock::{self, Moment};
use super::config::WorkerConfig;
use super::log::{Drained, Heard, Read, Record, Recorder};
use super::memory;
use super::source::Source;
use super::space::Space;
use super::subject::Subject;
use super::value::{Made, ValueId};

/// A computation that failed on purpose.
#[derive(Debug, Clone)]
pub struct Failed;

/// How often the link is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// How many values a process makes in one life at most, in bits.
const VALUES_BITS: u32 = 32;

/// What all tasks of a process share.
pub struct Life {
    /// What the process was told.
    pub config: WorkerConfig,
    /// The keys.
    pub space: Space,
    /// The source of truth.
    pub source: Source,
    /// The cache.
    pub subject: Subject,
    /// The log.
    pub recorder: Recorder,
    /// By key: who writes to the source and inserts what was written does both as one.
    writers: Vec<Mutex<()>>,
    values: AtomicU64,
    over: AtomicBool,
}

/// The moment before a read.
#[derive(Debug, Clone, Copy)]
struct Before {
    begin: Moment,
    in_touch: Option<Moment>,
    position: u64,
}

impl Life {
    /// Of a process that is ready.
    #[must_use]
    pub fn new(config: WorkerConfig, space: Space, source: Source, subject: Subject) -> Arc<Self> {
        let first = u64::from(config.life) << VALUES_BITS;
        Arc::new(Self {
            writers: space.keys.iter().map(|_| Mutex::default()).collect(),
            config,
            space,
            source,
            subject,
            recorder: Recorder::new(),
            values: AtomicU64::new(first),
            over: AtomicBool::new(false),
        })
    }

    /// Lets all tasks come to an end.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Reads until it is over.
    pub async fn reader(self: Arc<Self>, mut random: fastrand::Rng) {
        while !self.is_over() {
            self.any_read(&mut random).await;
            rest(self.config.pace.reader_rests, &mut random).await;
        }
    }

    /// Changes things until it is over.
    pub async fn changer(self: Arc<Self>, mut random: fastrand::Rng) {
        while !self.is_over() {
            self.any_change(&mut random).await;
            rest(self.config.pace.changer_rests, &mut random).await;
        }
    }

    /// Takes down when nothing waits to be told to others, until it is over.
    pub async fn watch(self: Arc<Self>) {
        while !self.is_over() {
            self.look_at_outbox();
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        self.look_at_outbox();
    }

    /// Takes down how much memory the process takes, until it is over.
    pub async fn weigh(self: Arc<Self>) {
        /// By then everything has been done once.
        const WARM: Duration = Duration::from_secs(20);
        const BETWEEN: Duration = Duration::from_millis(250);
        let begun = tokio::time::Instant::now();
        while !self.is_over() {
            let taken = memory::resident().saturating_sub(self.recorder.size());
            self.recorder.count(|tally| {
                let most =
                    if begun.elapsed() < WARM { &mut tally.memory_at_first } else { &mut tally.memory };
                *most = taken.max(*most);
            });
            tokio::time::sleep(BETWEEN).await;
        }
    }

    fn look_at_outbox(&self) {
        let begin = clock::now();
        // In this order: who was in touch after a failover has put again what that lost before nothing waits.
        let in_touch = self.subject.in_touch();
        let empty = self.subject.waiting() == Some(0);
        if let (Some(in_touch), true) = (in_touch, empty) {
            self.recorder.add(&Record::Drained(Drained { begin, end: clock::now(), in_touch }));
        }
    }

    /// Waits for what some process has said to be delivered, as a caller does that comes from there.
    async fn catch_up(&self) {
        let epoch = self.source.tell(0).await;
        if epoch > 0 && self.subject.wait_for(epoch, Duration::from_millis(50)).await {
            self.recorder.add(&Record::Heard(Heard { at: clock::now(), epoch }));
        }
    }

    fn before(&self) -> Before {
        let (in_touch, position) = (self.subject.in_touch(), self.subject.position());
        let begin = clock::now();
        Before { begin, in_touch, position }
    }

    fn saw(&self, before: Before, key: usize, value: Option<&Made>) {
        let end = clock::now();
        let Some(value) = value else {
            return self.recorder.count(|tally| tally.nothing += 1);
        };
        let Before { begin, in_touch: in_touch_before, position } = before;
        let in_touch_after = self.subject.in_touch();
        let read = Read { begin, end, key, value: value.id, in_touch_before, in_touch_after, position };
        self.recorder.add_read(&read, value);
    }

    fn next_value(&self) -> ValueId {
        let serial = self.values.fetch_add(1, Ordering::Relaxed);
        ValueId(u64::from(self.config.process) << 40 | serial)
    }
}

/// About so long; often not at all, so that some things come close together.
async fn rest(average: Duration, random: &mut fastrand::Rng) {
    match random.u8(..4) {
        0 => tokio::task::yield_now().await,
        _ => tokio::time::sleep(average.mul_f64(random.f64() * 8.0 / 3.0)).await,
    }
}
