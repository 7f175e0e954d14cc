//! The entry that is made of what was computed, and whether it may be stored.

use std::time::Duration;

use super::request::Request;
use crate::{
    adaptive::Computed,
    cache::Cache,
    dependencies::{Decisions, Frame},
    entry::Entry,
    error_sharing::Sharing,
    mutant::{self, Rule},
    outcome::NotStored,
    panic_guard,
    policy::Policy,
    scope::{Scope, ScopeHash},
    value::{AnyValue, LocalValue, ValueType},
};

/// A computation that has ended.
pub(super) struct Ended<'f> {
    pub(super) frame: &'f Frame,
    /// As they stand at the end.
    pub(super) decisions: Decisions,
    /// Whether the value replaces what is there: then all that was computed from that is invalidated too.
    pub(super) replaces: bool,
    pub(super) took: Duration,
}

impl<C: Cache + ?Sized, S: Copy> Request<'_, C, S> {
    /// Makes an entry of a computed value, and tells whether it is to be stored: whether policy, computation and
    /// the one rule agree. One that `replaces` what is there also invalidates what was computed from that.
    pub(super) fn entry_of<V: LocalValue>(&self, value: &V, ended: &Ended<'_>) -> (Entry, bool) {
        let absent = || self.wanted.of.is_none(value);
        let chosen = || match self.policy.adaptive_to {
            Some(_) if !absent() => self.adaptive_lifetime(value, ended.took),
            _ => self.policy.lifetime(absent()),
        };
        let lifetime = ended.decisions.ttl.unwrap_or_else(chosen);
        let value = || Box::new(value.clone()) as Box<AnyValue>;
        let unprolonged = ended.decisions.ttl.is_some() && self.policy.idle.is_some();
        let kept_stale = ended.decisions.kept_stale;
        let decided = (unprolonged || kept_stale.is_some()).then(|| Policy {
            idle: self.policy.idle.filter(|_| !unprolonged),
            stale_if_error: kept_stale.unwrap_or(self.policy.stale_if_error),
            ..self.policy.clone()
        });
        let policy = decided.as_ref().unwrap_or(self.policy);
        self.entry_with((value, self.wanted.of), (lifetime, policy), ended)
    }

    /// The same of a list that was collected from a stream.
    pub(super) fn entry_of_list<V: LocalValue>(&self, items: Vec<V>, ended: &Ended<'_>) -> (Entry, bool) {
        let lifetime = ended.decisions.ttl.unwrap_or(self.policy.ttl);
        let list = || Box::new(items) as Box<AnyValue>;
        self.entry_with((list, self.wanted.of), (lifetime, self.policy), ended)
    }

    /// How long a value is to live that took so long.
    #[cold]
    fn adaptive_lifetime<V: LocalValue>(&self, value: &V, took: Duration) -> Duration {
        let core = self.core();
        // A `Serialize` of the user's runs in here.
        let digest = panic_guard::contain(|| self.wanted.of.digest(value)).flatten();
        core.adaptive().choose(self.hash, Computed { now: core.now(), took, digest }, self.policy)
    }

    /// The same of an error, if it is one that is kept.
    pub(super) fn entry_of_error<E>(&self, error: &E, ended: &Ended<'_>) -> Option<(Entry, bool)>
    where
        S: Sharing<E>,
    {
        let lifetime = self.policy.cache_err;
        if lifetime.is_zero() {
            return None;
        }
        let error = self.sharing.keep(error)?;
        let policy =
            Policy { jitter: self.policy.jitter, schema: self.policy.schema, ..Policy::ttl(lifetime) };
        let of = self.wanted.of.of_errors();
        Some(self.entry_with((|| error, of), (lifetime, &policy), ended))
    }

    fn entry_with(
        &self,
        (value, of): (impl FnOnce() -> Box<AnyValue>, ValueType),
        (lifetime, policy): (Duration, &Policy),
        ended: &Ended<'_>,
    ) -> (Entry, bool) {
        let core = self.core();
        let Ended { frame, ref decisions, replaces, took } = *ended;
        // First: what the user's code reads in here covers it too.
        let value = value();
        let mut scopes = self.scopes.clone();
        scopes.extend(decisions.tags.iter().map(|tag| Scope::tag(tag).hash()));
        let mut cover = frame.cover(scopes, core.epochs());
        if mutant::is(Rule::StampAfterComputation) {
            cover.since = core.begin();
        }
        let (too_wide, is_marked) = (cover.is_too_wide(), cover.marked.is_some());
        // Where others are not heard of, what they changed meanwhile would count as older than the replacement.
        let valid = match replaces && core.epochs().hears_others() {
            true => {
                let key = [ScopeHash::key(&self.key)];
                core.replace(&key, |replacement| {
                    let stands = !too_wide && cover.is_current(core.epochs());
                    if stands {
                        (cover.since, cover.announcement) = (replacement.since, replacement.announcement);
                    }
                    stands
                })
            }
            false => !too_wide && cover.unchanged(core.epochs()),
        };
        let at = ((&self.key).into(), self.hash);
        let (lives, terms) = ((core.now(), lifetime), (policy, self.memory_limit()));
        let entry = Entry::boxed(at, (value, of, took), lives, terms, cover);
        if lifetime.is_zero() || decisions.no_store || !core.is_enabled() {
            // What is stored in place of it has an event of its own.
            if !decisions.stored_beside {
                let declines = decisions.no_store || self.observer.stands_for().is_some();
                self.not_stored(match (core.is_enabled(), declines) {
                    (false, _) => NotStored::Disabled,
                    (true, true) => NotStored::Declined,
                    (true, false) => NotStored::NoLifetime,
                });
            }
            return (entry, false);
        }
        if is_marked && entry.0.is_expired(core.now()) {
            self.not_stored(NotStored::Stale);
            return (entry, false);
        }
        if too_wide {
            self.not_stored(NotStored::TooManyScopes);
            core.refuse_too_wide(&self.key, self.wanted.of.group);
        } else if !valid {
            self.not_stored(NotStored::Invalidated);
            self.count(|counters| &counters.stores_outdated);
        }
        (entry, valid)
    }
}
