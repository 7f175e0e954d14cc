//! From a question to a value: memory, singleflight, computation, store.

mod background;
mod batch;
mod shared;
mod turn;

use std::{any::TypeId, future::Future, sync::Arc};

pub(crate) use self::{
    background::get_or_compute_background,
    batch::get_or_compute_many,
    shared::{read, read_one},
};
use crate::{
    cache::Cache,
    cache_core::{Core, Lookup},
    dependencies::{self, Frame},
    entry::{Entry, Freshness},
    error_sharing::Sharing,
    key, mutant, option_probe, panic_guard,
    policy::Policy,
    scope::{self, Scope, ScopeHash, ScopeSet},
    singleflight::{Failure, InFlightId, Leader, Outcome, Watch, WorkKey},
    value::Value,
};

/// What a look came to that found no fresh value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// What was found instead, and the phase it was in.
    pub(crate) entry: Option<(Entry, Freshness)>,
    /// [`Core::stores`] before the look.
    pub(crate) stores: u64,
}

/// The entry under a key, if it holds a `V`, is valid by the one rule, and has not lived to its end.
pub(crate) fn find<V: Value>(cache: &(impl Cache + ?Sized), at: Lookup<'_>) -> Option<(Entry, Freshness)> {
    let core = cache.core();
    let entry = cache.peek(at)?;
    if entry.value::<V>().is_none() {
        core.count(|counters| &counters.type_mismatches);
        panic_guard::report!(
            debug,
            key = at.key,
            asked = std::any::type_name::<V>(),
            "the entry holds a value of another type"
        );
        return None;
    }
    let now = core.now();
    let freshness = entry.0.freshness(now);
    if freshness == Freshness::Expired {
        return None;
    }
    if !entry.0.is_valid(core.epochs()) {
        core.count(|counters| &counters.invalidated_reads);
        return None;
    }
    Some((entry, freshness))
}

/// Gives an entry's value to a caller: counted, and recorded as read.
pub(crate) fn serve<V: Value>(core: &Core, entry: &Entry, freshness: Freshness) -> V {
    count_hit(core, entry, freshness);
    receive(core, entry)
}

/// The same, where the entry is needed no longer: if nobody else has it, its value need not be cloned.
pub(crate) fn give_away<V: Value>(core: &Core, entry: Entry, freshness: Freshness) -> V {
    count_hit(core, &entry, freshness);
    dependencies::record(core.epochs(), &entry.0);
    entry.into_value().expect("the type was looked at")
}

fn count_hit(core: &Core, entry: &Entry, freshness: Freshness) {
    match freshness {
        Freshness::Fresh => core.store_hit(entry),
        Freshness::RefreshAhead => core.count(|counters| &counters.hits),
        _ => core.count(|counters| &counters.stale_hits),
    }
}

/// Gives a caller the value of an entry that was found or made to hold a `V`.
fn receive<V: Value>(core: &Core, entry: &Entry) -> V {
    dependencies::record(core.epochs(), &entry.0);
    entry.value::<V>().expect("the type was looked at, or a computation's key and type have it").clone()
}

/// One caller's wish for the value under a key.
pub(crate) struct Call<'a, C: ?Sized, S> {
    pub(crate) cache: &'a C,
    pub(crate) at: Lookup<'a>,
    pub(crate) policy: &'a Policy,
    pub(crate) sharing: S,
    /// [`Core::stores`] before the caller looked for the value.
    pub(crate) stores: u64,
    /// What the computation of this caller is watched by, if it comes to that.
    pub(crate) watch: Arc<Watch>,
}

/// How a caller's wish goes on.
enum Turn<V, E> {
    /// It is over.
    Done(Result<V, E>),
    /// The caller computes for everybody, in all processes if the lead has a lease.
    Leader(Leader),
    /// The caller has a value that should be refreshed, and computes for everybody.
    Refresh(Leader, Entry, Freshness),
    /// The caller computes for itself.
    Alone,
}

/// What a caller is about to compute.
struct Computation {
    frame: Arc<Frame>,
    /// The computation that it leads for others, if any.
    lead: Option<Leader>,
    /// What may be served if it fails.
    stale: Option<Entry>,
}

/// The value under a full key: `found` just now, from a computation under way, or computed by `compute`.
pub(crate) async fn get_or_compute<V, E, C, S, F, Fut>(
    (cache, key): (&C, &str),
    found: Found,
    policy: &Policy,
    sharing: S,
    compute: F,
) -> Result<V, E>
where
    V: Value,
    E: Send + 'static,
    C: Cache + ?Sized,
    S: Sharing<E>,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<V, E>>,
{
    let core = cache.core();
    if key::check(key).is_err() {
        core.count(|counters| &counters.refused_keys);
        return dependencies::bypass(async { compute().await }).await;
    }
    let watch = Watch::new(policy.takeover_after);
    let call = Call { cache, at: core.lookup(key), policy, sharing, stores: found.stores, watch };
    let nested_in = dependencies::current_in_flight();
    let whole = async {
        let mut stale = None;
        let computation = match call.turn::<V, E>(found.entry, &mut stale).await {
            Turn::Done(result) => return result,
            Turn::Leader(lead) => call.begin(Some(lead), stale, nested_in),
            Turn::Refresh(lead, entry, _) => call.begin(Some(lead), Some(entry), nested_in),
            Turn::Alone => call.begin(None, stale, nested_in),
        };
        call.compute(computation, compute).await
    };
    call.watch.run(whole).await
}

impl<C: Cache + ?Sized, S: Copy> Call<'_, C, S> {
    fn core(&self) -> &Core {
        self.cache.core()
    }

    /// What the computation before a new one may have stored after the new one's leader looked. To look for no
    /// reason would count as one more wish for the key where it is decided what is kept.
    fn find_new<V: Value>(&self) -> Option<Entry> {
        let core = self.core();
        if core.stores() == self.stores {
            return None;
        }
        let entry = self.cache.peek(self.at)?;
        let serves = entry.value::<V>().is_some()
            && entry.0.freshness(core.now()) == Freshness::Fresh
            && entry.0.is_valid(core.epochs());
        serves.then_some(entry)
    }

    fn own_scopes(&self) -> ScopeSet {
        scope::covering(self.at.key, &self.policy.tags)
    }

    fn work<V: Value>(&self) -> WorkKey {
        WorkKey { key: self.at.key.into(), value_type: TypeId::of::<V>() }
    }

    /// Whether a stale entry may still be served: its window is open, and nothing that covers it was
    /// invalidated in the meantime.
    fn is_servable(&self, entry: &Entry) -> bool {
        entry.0.freshness(self.core().now()) < Freshness::Expired && entry.0.is_valid(self.core().epochs())
    }

    /// Begins a computation: for everybody who waits, or with no computation to lead, for this caller alone.
    /// While it waits, the computations that it is `nested_in` wait too.
    fn begin(
        &self,
        lead: Option<Leader>,
        stale: Option<Entry>,
        nested_in: impl IntoIterator<Item = InFlightId>,
    ) -> Computation {
        match &lead {
            Some(lead) => self.note_takeover(lead),
            None => self.core().count(|counters| &counters.unjoined),
        }
        let in_flight = lead.iter().map(Leader::id).chain(nested_in);
        // Later than the computation, which may have waited for other processes: what was changed meanwhile is
        // read from here on.
        let since = self.core().begin();
        Computation { frame: Frame::new(in_flight, since, self.policy.detached), lead, stale }
    }

    /// Says that somebody keeps a call and does not poll it.
    fn note_takeover(&self, lead: &Leader) {
        if lead.took_over() {
            self.core().count(|counters| &counters.taken_over);
            panic_guard::report!(
                warn,
                key = self.at.key,
                "a computation was woken and not polled, and is passed over: poll the call until it ends, drop it, \
                 or give the cached function the option `spawn`"
            );
        }
    }

    /// Computes, stores, and tells everybody who waits.
    async fn compute<V, E, F, Fut>(&self, computation: Computation, compute: F) -> Result<V, E>
    where
        V: Value,
        S: Sharing<E>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<V, E>>,
    {
        let Computation { frame, lead, stale } = computation;
        let core = self.core();
        let computed = self.run(&frame, compute).await;
        let shared = !frame.decisions().unshared;
        match computed {
            Ok(value) => {
                // What begins later is newer: the value of one that was superseded is not put in its place.
                let superseded = lead.as_ref().is_some_and(Leader::is_superseded);
                // What cannot be cloned is this caller's alone.
                let Some((entry, wanted)) = panic_guard::contain(|| self.entry_of(&value, &frame, false))
                else {
                    lead.into_iter().for_each(|lead| lead.complete(Outcome::Unshared, false));
                    return Ok(value);
                };
                let stored = wanted && !superseded;
                if stored {
                    write(self.cache, std::slice::from_ref(&entry)).await;
                }
                // Other processes find it, unless it has to stay in this one.
                let found = stored && !entry.0.is_unshared();
                dependencies::record(core.epochs(), &entry.0);
                if let Some(lead) = lead {
                    let outcome = if shared { Outcome::Value(entry) } else { Outcome::Unshared };
                    lead.complete(outcome, found);
                }
                Ok(value)
            }
            Err(error) => {
                if let Some(lead) = lead {
                    let cover = Arc::new(frame.cover(self.own_scopes(), core.epochs()));
                    // One whose `Clone`, `Display` or `source` panics cannot be shared.
                    let given = || panic_guard::contain(|| self.sharing.give(&error)).flatten();
                    let failure = || Failure { error: given(), cover };
                    let outcome = if shared { Outcome::Failure(failure()) } else { Outcome::Unshared };
                    lead.complete(outcome, false);
                }
                match stale.filter(|entry| self.is_servable(entry)) {
                    Some(entry) => Ok(serve(core, &entry, entry.0.freshness(core.now()))),
                    None => Err(error),
                }
            }
        }
    }

    /// Runs a computation in its frame. Whatever becomes of it, the computation that it is nested in has
    /// asked for this key, and is told what was read for it.
    async fn run<V, E, F, Fut>(&self, frame: &Arc<Frame>, compute: F) -> Result<V, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<V, E>>,
    {
        let core = self.core();
        core.count(|counters| &counters.computations);
        panic_guard::report!(debug, key = self.at.key, "computing");
        dependencies::record_scopes(core.epochs(), || self.own_scopes());
        let _passed_on = frame.pass_on();
        let computed = frame.run(async { compute().await }).await;
        if computed.is_err() {
            core.count(|counters| &counters.failures);
        }
        computed
    }

    /// Makes an entry of a computed value, and tells whether it is to be stored: whether policy, computation and
    /// the one rule agree. One that `replaces` what is there also invalidates what was computed from that.
    fn entry_of<V: Value>(&self, value: &V, frame: &Frame, replaces: bool) -> (Entry, bool) {
        let core = self.core();
        let decisions = frame.decisions();
        let lifetime = decisions.ttl.unwrap_or_else(|| self.policy.lifetime(option_probe::is_none(value)));
        let mut scopes = self.own_scopes();
        scopes.extend(decisions.tags.iter().map(|tag| Scope::tag(tag).hash()));
        let mut cover = frame.cover(scopes, core.epochs());
        if mutant::is("stamp-after-computation") {
            cover.since = core.begin();
        }
        let too_wide = cover.is_too_wide();
        let valid = match replaces {
            true => {
                let key = [ScopeHash::key(self.at.key)];
                let replaced = core.replace(&key, || !too_wide && cover.unchanged(core.epochs()));
                if replaced.judged {
                    (cover.since, cover.announcement) = (replaced.since, replaced.announcement);
                }
                replaced.judged
            }
            false => !too_wide && cover.unchanged(core.epochs()),
        };
        let entry = Entry::new(
            (self.at.key.into(), self.at.hash),
            value.clone(),
            (core.now(), lifetime),
            self.policy,
            cover,
        );
        if lifetime.is_zero() || decisions.no_store {
            return (entry, false);
        }
        if too_wide {
            core.refuse_too_wide(self.at.key);
        } else if !valid {
            core.count(|counters| &counters.stores_outdated);
        }
        (entry, valid)
    }
}

/// Stores computed values.
async fn write(cache: &(impl Cache + ?Sized), entries: &[Entry]) {
    // What it was computed for is not lost if a `Serialize`, a weigher or a cache panics.
    let Some(written) = panic_guard::contain_future(cache.write(entries)).await else { return };
    if let Err(error) = written {
        // The warning was given where it was found, once.
        panic_guard::report!(debug, %error, "a computed value is not shared with other processes");
    }
    entries.iter().for_each(|entry| cache.core().stored(!entry.0.is_unshared()));
}

/// Computes now, whatever the cache has, and replaces that. Nobody joins.
pub(crate) async fn refresh<V, E, C, F, Fut>(
    (cache, key): (&C, &str),
    policy: &Policy,
    compute: F,
) -> Result<V, E>
where
    V: Value,
    C: Cache + ?Sized,
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<V, E>>,
{
    let core = cache.core();
    if key::check(key).is_err() {
        core.count(|counters| &counters.refused_keys);
        return dependencies::bypass(async { compute().await }).await;
    }
    let watch = Watch::new(policy.takeover_after);
    let call = Call { cache, at: core.lookup(key), policy, sharing: (), stores: core.stores(), watch };
    let frame = Frame::new(dependencies::current_in_flight(), core.begin(), policy.detached);
    let computed = call.run(&frame, compute).await;
    if let Ok(value) = &computed
        && let Some((entry, wanted)) = panic_guard::contain(|| call.entry_of(value, &frame, true))
    {
        if wanted {
            write(cache, std::slice::from_ref(&entry)).await;
        }
        dependencies::record(core.epochs(), &entry.0);
    }
    computed
}

#[cfg(all(test, not(larder_loom)))]
mod tests;
