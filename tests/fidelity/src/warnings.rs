//! The WARNs of larder, kept for the test to read.

use std::{
    fmt::{self, Write as _},
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn warnings() -> MutexGuard<'static, Vec<String>> {
    WARNINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on keeps all WARNs of this process. Each test begins with it: a type is reported once in a process.
///
/// # Panics
///
/// If there is another subscriber.
pub fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Capture).expect("there is no other"));
}

/// How many WARNs name this text in full: a type's name within a longer one does not count.
#[must_use]
pub fn naming(text: &str) -> usize {
    warnings().iter().filter(|warning| names(warning, text)).count()
}

/// All of them so far.
#[must_use]
pub fn all() -> Vec<String> {
    warnings().clone()
}

fn names(warning: &str, text: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || "_:<>".contains(character);
    warning.match_indices(text).any(|(at, _)| {
        let (before, after) = (&warning[..at], &warning[at + text.len()..]);
        !before.ends_with(is_part) && !after.trim_start_matches(": ").starts_with(is_part)
    })
}

struct Capture;

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target().starts_with("larder")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        warnings().push(text.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "{field}={value} ");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}
