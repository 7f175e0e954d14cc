//! What people are told: the warnings of this process, as a subscriber of traces sees them.
//!
//! There is one subscriber for the whole process, for it to hear every thread. One of a single thread would miss
//! warnings at random: with no other subscriber, `tracing` asks the thread that first comes to a place whether anyone
//! listens, and keeps the answer for all threads.

use std::{
    fmt::{self, Write},
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

static LISTENS: LazyLock<()> = LazyLock::new(|| {
    tracing::subscriber::set_global_default(Listener).expect("there is no other subscriber");
});

/// Begins to listen, for the rest of the process. Each event at the level WARN or above becomes one line, with its
/// message and fields.
pub fn listen() {
    LazyLock::force(&LISTENS);
}

/// The warnings so far that hold all of these.
#[must_use]
pub fn heard(words: &[&str]) -> Vec<String> {
    listen();
    lines().iter().filter(|line| words.iter().all(|word| line.contains(word))).cloned().collect()
}

/// How many warnings so far name this text in full: a type's name within a longer one does not count.
#[must_use]
pub fn naming(text: &str) -> usize {
    listen();
    lines().iter().filter(|line| names(line, text)).count()
}

fn names(line: &str, text: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || "_:<>".contains(character);
    line.match_indices(text).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + text.len()..]);
        !before.ends_with(is_part) && !after.trim_start_matches(": ").starts_with(is_part)
    })
}

fn lines() -> MutexGuard<'static, Vec<String>> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Panics at each event of larder's crates from now on, for the rest of the process, whichever thread they come from. In a process
/// of its own, which does not [`listen`].
///
/// # Panics
///
/// If there is another subscriber.
pub fn panic_at_events() {
    tracing::subscriber::set_global_default(Hostile).expect("there is no other subscriber");
}

/// How often [`panic_at_events`] panicked.
#[must_use]
pub fn panics() -> usize {
    PANICS.load(Ordering::SeqCst)
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

struct Hostile;

impl Subscriber for Hostile {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("larder")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        PANICS.fetch_add(1, Ordering::SeqCst);
        panic!("on purpose, by the subscriber");
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        lines().push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        _ = write!(self.0, "{}={value:?} ", field.name());
    }
}
