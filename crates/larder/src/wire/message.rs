//! Entries as messages.

use super::{
    Coding, Envelope, Header, Rejected, Remaining, Times, Unencodable, Wire, trace::Fingerprint,
    untyped::is_untyped,
};
use crate::{
    clock::Moment,
    entry::{Entry, Lifetime},
    epoch::Epoch,
    error_keeping::KEPT_ERROR,
    mutant::{self, Rule},
    scope,
    value::{AnyValue, ValueType},
};

impl Wire {
    /// An entry as a message. `now` is the time on this process' clock and on the server's.
    ///
    /// # Errors
    ///
    /// If another process would not read the same value from it.
    pub(crate) fn message(
        &self,
        entry: &Entry,
        epoch: Epoch,
        now: (Moment, u64),
    ) -> Result<Vec<u8>, Unencodable> {
        let stored = &entry.0;
        let narrow = mutant::is(Rule::OwnScopesOnTheWire);
        let scopes = if narrow { scope::covering(&stored.key, &[]) } else { stored.scopes().clone() };
        let envelope = Envelope { epoch, times: Times::of(stored.life(), now), scopes };
        let no_form = || Unencodable::by_codec(self.codec().name(), "its type has no serialized form");
        let (value, transport) = stored.portable().ok_or_else(no_form)?;
        Coding::of(transport).encode(value, self, &envelope, stored.schema())
    }

    /// The value in a message, or `()` if none is wanted, and its type: that of an error, if one may be kept in its place. An
    /// untyped entry has none: nothing in it would tell an error from a value of which something is missing.
    ///
    /// # Errors
    ///
    /// If it is not exactly such a value.
    pub(crate) fn value(
        &self,
        of: ValueType,
        header: &Header,
        message: &[u8],
    ) -> Result<(Box<AnyValue>, ValueType), Rejected> {
        let Some(transport) = of.transport else { return Ok((Box::new(()), of)) };
        let value = Coding::of(transport).decode(self, header, message, of.schema);
        let errors = of.error_transport.filter(|_| !is_untyped(header, of.schema));
        match (value, errors) {
            (Err(rejected), Some(transport)) if rejected != Rejected::TooDeep => {
                let error = Coding::of(transport).decode(self, header, message, of.schema);
                let is_too_deep = matches!(error, Err(Rejected::TooDeep));
                error
                    .map(|error| (error, of.of_errors()))
                    .map_err(|again| if is_too_deep { again } else { rejected })
            }
            (value, _) => value.map(|value| (value, of)),
        }
    }

    /// Whether a message has an error that is kept in place of a value, by the look of its shape: whatever the type of the
    /// error, which a reader of values does not know. Of 65,536 other messages, one looks so too.
    pub(crate) fn has_kept_error(&self, of: ValueType, header: &Header) -> bool {
        self.codecs.of_number(header.codec).is_ok_and(|codec| {
            let budget = codec.budget(0, &self.limits, of.schema, None);
            budget.trace.ask_struct(KEPT_ERROR.0, KEPT_ERROR.1);
            budget.trace.fingerprint(None).root() == Fingerprint::from_number(header.shape).root()
        })
    }
}

impl Times {
    fn of(life: &Lifetime, (now, server_now): (Moment, u64)) -> Self {
        let age = u64::try_from(now.since(life.stored).as_millis()).unwrap_or(u64::MAX);
        Self {
            created: server_now.saturating_sub(age),
            prompt: life.refresh_due.since(life.stored),
            fresh: life.ttl_end.since(life.stored),
            revalidate: life.revalidate_end.since(life.ttl_end),
            on_error: life.on_error_end.since(life.ttl_end),
        }
    }
}

impl Remaining {
    /// The lifetime of an entry that has so much left from `now` on.
    pub(crate) fn life(&self, now: Moment) -> Lifetime {
        Lifetime {
            stored: now.before(self.age),
            memory_end: now.after(self.prompt),
            refresh_due: now.after(self.prompt),
            ttl_end: now.after(self.fresh),
            revalidate_end: now.after(self.revalidate),
            on_error_end: now.after(self.on_error),
        }
    }
}
