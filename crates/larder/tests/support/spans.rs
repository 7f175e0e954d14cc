//! The spans of this process, as a subscriber sees them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, Once, PoisonError},
};

use tracing::{
    Id, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Record},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
};

/// A span, and its number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) number: usize,
    pub(crate) name: &'static str,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) parent: Option<usize>,
    pub(crate) follows: Vec<usize>,
    pub(crate) closed: bool,
}

impl Seen {
    /// A field, or nothing if it was not set.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

/// Begins to listen, for the rest of the process.
pub(crate) fn listen(level: Level) {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let layers = tracing_subscriber::registry().with(Listener).with(LevelFilter::from_level(level));
        tracing::subscriber::set_global_default(layers).unwrap();
    });
}

/// The spans so far whose `field` has this value.
pub(crate) fn seen(field: &str, value: &str) -> Vec<Seen> {
    all().into_iter().filter(|seen| seen.field(field) == value).collect()
}

/// All spans so far.
pub(crate) fn all() -> Vec<Seen> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

struct Number(usize);

struct Listener;

impl Listener {
    fn change<S>(id: &Id, context: &Context<'_, S>, change: impl FnOnce(&mut Seen))
    where
        S: Subscriber + for<'l> LookupSpan<'l>,
    {
        let span = context.span(id).unwrap();
        let number = span.extensions().get::<Number>().unwrap().0;
        change(&mut SEEN.lock().unwrap_or_else(PoisonError::into_inner)[number]);
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let parent = span.parent().and_then(|parent| Some(parent.extensions().get::<Number>()?.0));
        let mut all = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        let number = all.len();
        let mut seen = Seen { number, name: attributes.metadata().name(), parent, ..Seen::default() };
        attributes.record(&mut Fields(&mut seen));
        all.push(seen);
        span.extensions_mut().insert(Number(number));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Self::change(id, &context, |seen| values.record(&mut Fields(seen)));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let other = context.span(follows).unwrap();
        let number = other.extensions().get::<Number>().unwrap().0;
        Self::change(id, &context, |seen| seen.follows.push(number));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Self::change(&id, &context, |seen| seen.closed = true);
    }
}

struct Fields<'s>(&'s mut Seen);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let before = self.0.fields.insert(field.name(), value.to_owned());
        assert_eq!(before, None, "{} is recorded twice", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.fields.insert(field.name(), format!("{value:?}"));
    }
}
