//! Entries on their way in: opened, judged and decoded, at once unless that takes long.

use super::{
    SharedEntries,
    offload::{LARGE, offload, on_large_stack},
};
use crate::{
    cache_core::{Core, Lookup},
    clock::Moment,
    entry::{Entry, sharing::Received},
    epoch::{Epoch, ReadVersion},
    mutant::{self, Rule},
    scope::ScopeHash,
    value::{AnyValue, ValueType},
    wire::{Header, Rejected, Remaining},
};

/// A message that holds a valid entry.
struct Valid {
    message: Vec<u8>,
    header: Header,
    since: ReadVersion,
    /// When it was judged, and what was left of its lifetime then.
    now: Moment,
    remaining: Remaining,
}

/// A value that was decoded, and its type.
type DecodedValue = (Box<AnyValue>, ValueType);

impl SharedEntries {
    /// The entry that a message holds, if it is valid: by the epoch that its header names, or by this one. What is sealed is
    /// opened before anything of it is looked at.
    pub(crate) async fn opened(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        (message, epoch): (Vec<u8>, Option<Epoch>),
    ) -> Option<Entry> {
        let name = || (self.stored_as)(at.key);
        let limits = &self.wire.limits;
        // What few calls come to is in a box: each call would have to have room for it.
        let message = match self.sealing.is_opened_at_once(&message) {
            true => self.sealing.opened(name, message, limits),
            false => Box::pin(self.sealing.opened_apart(name(), message, limits)).await,
        };
        let valid = match message.and_then(|message| self.judged(core, at, (message, epoch))) {
            Ok(Some(valid)) => valid,
            Ok(None) => {
                core.count_in(of.group, |counters| &counters.invalidated_reads);
                return None;
            }
            Err(rejected) => return self.reject(core, at, of, rejected),
        };
        let here = match valid.header.raw_length() <= LARGE {
            true => self.wire.value(of, &valid.header, &valid.message),
            false => Err(Rejected::TooDeep),
        };
        let decoded = match here {
            // It has nothing for this reader, and nothing is wrong with it.
            Err(Rejected::Shape) if self.wire.has_kept_error(of, &valid.header) => return None,
            Err(Rejected::TooDeep) => Box::pin(self.decoded_apart(valid, of)).await,
            here => here.map(|decoded| (valid, decoded)),
        };
        match decoded {
            Ok((valid, decoded)) => Some(self.entry(core, at, of, valid, decoded)),
            Err(rejected) => self.reject(core, at, of, rejected),
        }
    }

    /// The message, if the entry in it is valid.
    fn judged(
        &self,
        core: &Core,
        at: Lookup<'_>,
        (message, epoch): (Vec<u8>, Option<Epoch>),
    ) -> Result<Option<Valid>, Rejected> {
        let mut header = Header::parse(&message, &self.wire.limits)?;
        header.envelope.epoch = epoch.unwrap_or(header.envelope.epoch);
        self.wire.codecs.of_number(header.codec)?;
        let envelope = &header.envelope;
        if !envelope.scopes.contains(&ScopeHash::key(at.key)) {
            return Err(Rejected::Header);
        }
        if !self.order.is_possible(envelope.epoch) {
            return Err(Rejected::Future);
        }
        let Some(since) = self.order.judge(&envelope.scopes, envelope.epoch) else { return Ok(None) };
        let (now, remaining) = (core.now(), envelope.times.remaining(self.server_now()));
        Ok(Some(Valid { message, header, since, now, remaining }))
    }

    /// Decodes what is large or deep where it holds up no other call.
    async fn decoded_apart(&self, valid: Valid, of: ValueType) -> Result<(Valid, DecodedValue), Rejected> {
        let wire = self.wire.clone();
        offload(move || {
            let decoded = match wire.value(of, &valid.header, &valid.message) {
                Err(Rejected::TooDeep) => {
                    on_large_stack(|| wire.deep().value(of, &valid.header, &valid.message))
                        .unwrap_or(Err(Rejected::TooDeep))
                }
                decoded => decoded,
            };
            decoded.map(|decoded| (valid, decoded))
        })
        .await
    }

    fn entry(
        &self,
        core: &Core,
        at: Lookup<'_>,
        of: ValueType,
        Valid { header, since, now, remaining, .. }: Valid,
        (value, value_type): DecodedValue,
    ) -> Entry {
        let since = if mutant::is(Rule::PromotionStampedAtInsertion) { core.begin() } else { since };
        let (epoch, scopes) = (header.envelope.epoch, header.envelope.scopes);
        let life = remaining.life(now).in_memory(now, of.memory_limit());
        let cost = core.statistics().usual_cost(of.group);
        let marked = self.order.marked(&scopes, epoch, life.stored);
        let received = Received { is_from_disk: false, since, life, marked, scopes, value, value_type, cost };
        Entry::received((at.key.into(), at.hash), received)
    }

    /// Counts what is not accepted, and says so.
    #[cold]
    fn reject(&self, core: &Core, at: Lookup<'_>, of: ValueType, rejected: Rejected) -> Option<Entry> {
        if matches!(rejected, Rejected::Shape | Rejected::Untyped) {
            core.count_in(of.group, |counters| &counters.shared_other_shape);
        }
        if matches!(rejected, Rejected::Codec(_)) {
            core.count_in(of.group, |counters| &counters.shared_other_codec);
        }
        if rejected.is_by_seal() {
            core.count_in(of.group, |counters| &counters.shared_not_authentic);
        }
        if rejected.is_by_type() {
            core.count_in(of.group, |counters| &counters.shared_unreadable);
        }
        // After the reasons that it is a sum of.
        core.count_in(of.group, |counters| &counters.shared_rejected);
        self.rejections.note(rejected, of.name());
        crate::panic_guard::report!(debug, key = at.key, %rejected, wanted = of.name(), "what is stored is not accepted");
        None
    }
}
