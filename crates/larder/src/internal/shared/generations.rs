//! Scopes with generations, for stores that have no log.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    cache::Invalidating,
    cache_core::Core,
    entry::Entry,
    epoch::{
        Epoch,
        shared::{GenerationEpochs, Lanes, Taken},
    },
    link::{Link, Operation, Server},
    memory::MemoryCache,
    refusals::Refusals,
    scope::{Scope, ScopeHash},
    shared_entries::SharedEntries,
    shared_leases::Leases,
    shared_log::delivery::{ECHO, deliver_and_settle, until_delivered},
};

/// What one process knows of changes, where each scope has a *generation* in a shared store: a number that a counter had when
/// the scope was last begun anew. Cheap to clone.
///
/// # What a store does with it
///
/// An [`Epoch`] stands for what the counter was at some time, in an order that never falls in this process.
///
/// 1. **Reading.** Read an entry, and the generations of all scopes that cover it (and of [`ScopeHash::ALL`]) with it or after
///    it. It is valid if each is there and none is above the epoch of the entry; then give it to
///    [`receive_at`](SharedEntries::receive_at), which asks what this process itself has changed.
/// 2. **Beginning.** Before a miss is reported, see that the generations of the key's own scopes are there, look at the
///    counter, and [`advance`](Self::advance) to it: a computation carries that epoch.
/// 3. **Invalidating.** Take what waits in each [lane](Self::take), make the generation of each scope one that was never there
///    before (to remove it is enough), [tell](Self::tell) so, move the counter, and [settle](Self::settle) with what it is
///    then; or [give back](Self::give_back) what may not have been done.
/// 4. A generation that is missing is set to what the counter becomes when it is moved **after** it was seen to be missing, and
///    only if nothing has happened to it meanwhile.
/// 5. **Inserting.** What is inserted is proved from the moment on at which it has reached the store. The generation of its key
///    is [marked](Undelivered::leave_mark) then, and those of its other scopes are read (and begin, where they are missing). After
///    that the counter is moved, and what it is then takes the place of the mark, as in 4. The others are read again: each must
///    be what it was. The entry has that number for its [epoch](SharedEntries::replacements).
#[derive(Clone)]
pub struct Generations {
    epochs: GenerationEpochs,
    deadline: Duration,
    refusals: Arc<Refusals>,
}

/// A scope that was invalidated here, and not in the store.
#[derive(Debug, Clone)]
pub struct Undelivered(Taken);

impl Undelivered {
    /// The scope.
    #[must_use]
    pub fn scope(&self) -> ScopeHash {
        self.0.scope
    }

    /// Whether it is no scope, but the counter of a [key](Self::key), which is to be removed.
    #[must_use]
    pub fn is_counter(&self) -> bool {
        self.0.is_beneath
    }

    /// Whether the store has all of it already: there is nothing to be done but to settle it.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        self.0.is_delivered
    }

    /// Its key, if it is one and known: the entry there is to be dropped too, and the counter, if it is of the same lane.
    #[must_use]
    pub fn key(&self) -> Option<&Arc<str>> {
        self.0.key.as_ref()
    }

    /// Whether it is the key of an entry that was inserted, and not of one that is only invalidated.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.0.is_replaced
    }

    /// Says what this attempt leaves in the place of the generation, instead of removing it: another number each time, at each
    /// attempt too. The insert finds it by [`mark_of`], once it was [told](Generations::tell).
    pub fn leave_mark(&mut self, mark: u64) {
        self.0.mark = Some(mark);
    }
}

fn taken(undelivered: &[Undelivered]) -> Vec<Taken> {
    undelivered.iter().map(|undelivered| undelivered.0.clone()).collect()
}

impl Generations {
    /// With slots for so many changed scopes; callers wait for `deadline` at most for their invalidations. `lane_of` says by
    /// which of the `lanes` a scope is delivered: by the part of the store that has its generation. `lane_of_counter` says the
    /// same of the counter of a key.
    #[must_use]
    pub fn new(
        scope_slots: usize,
        deadline: Duration,
        (lanes, lane_of): (usize, impl Fn(ScopeHash) -> usize + Send + Sync + 'static),
        lane_of_counter: impl Fn(&str) -> usize + Send + Sync + 'static,
    ) -> Self {
        let (of, beneath) = (Box::new(lane_of), Box::new(lane_of_counter));
        let lanes = Lanes { count: lanes.max(1), of, beneath };
        let refusals = Arc::new(Refusals::new("memcached"));
        Self { epochs: GenerationEpochs::new(scope_slots, lanes), deadline, refusals }
    }

    /// The core of a cache whose changes are in this order.
    #[must_use]
    pub fn core(&self) -> Core {
        Core::builder().epochs(self.epochs.local.clone()).build()
    }

    /// An empty memory with the settings of another one, whose changes are in this order: those that this process makes.
    #[must_use]
    pub fn memory(&self, settings: &MemoryCache) -> MemoryCache {
        settings.anew(self.epochs.local.clone())
    }

    /// Turns entries into messages, by this order.
    #[must_use]
    pub fn entries(&self) -> SharedEntries {
        SharedEntries::new(Arc::new(self.epochs.clone()))
    }

    /// The leases of a store, which a caller waits for up to `lifetime`.
    #[must_use]
    pub fn leases(&self, lifetime: Duration) -> Leases {
        Leases::by_generations(self.epochs.order.clone(), lifetime)
    }

    /// Something is wrong with the store, in these words, and will be until that is done which `mend` names. Said in a warning,
    /// at most once a minute, and shown by [`link`](Self::link).
    pub fn refused(&self, operation: Operation, reply: &str, mend: &str) {
        self.refusals.refused(operation, reply, mend);
    }

    /// It is no longer so.
    pub fn accepted(&self, operation: Operation) {
        self.refusals.accepted(operation);
    }

    /// What the counter was when it was last seen; zero before that.
    #[must_use]
    pub fn position(&self) -> Epoch {
        self.epochs.order.position()
    }

    /// The counter was seen.
    pub fn advance(&self, to: Epoch) {
        self.epochs.order.advance(to);
    }

    /// Invalidates: applies it here, and has it delivered. That is not waited for unless it is `within_reach`, nor that it is
    /// settled, unless the counter is.
    #[must_use]
    pub fn invalidate(
        &self,
        core: &Core,
        scopes: &[Scope],
        within_reach: impl Fn() -> bool + Send + 'static,
        counter_is: impl Fn() -> bool + Send + 'static,
    ) -> Invalidating {
        let reach = move || within_reach().then(|| if counter_is() { ECHO } else { Duration::ZERO });
        deliver_and_settle((core.announce(scopes), scopes), self.deadline, reach)
    }

    /// How many scopes were invalidated here, and not in the store.
    #[must_use]
    pub fn undelivered(&self) -> u64 {
        self.epochs.order.queue().len()
    }

    /// Whether this very scope is one of them.
    #[must_use]
    pub fn is_undelivered(&self, scope: ScopeHash) -> bool {
        self.epochs.order.queue().has(scope)
    }

    /// Returns when there is something to take from a lane, or may be.
    pub async fn wait(&self, lane: usize) {
        self.epochs.order.queue().wait(lane).await;
    }

    /// Takes what waits in a lane, `most` scopes at most. It counts against every entry until it is settled.
    #[must_use]
    pub fn take(&self, lane: usize, most: usize) -> Vec<Undelivered> {
        self.epochs.take(lane, most).into_iter().map(Undelivered).collect()
    }

    /// It may not have been done: it waits again.
    pub fn give_back(&self, lane: usize, undelivered: &[Undelivered]) {
        self.epochs.order.queue().give_back(lane, &taken(undelivered));
    }

    /// It is done: callers are told so.
    pub fn tell(&self, delivered: &[Undelivered]) {
        // An epoch of zero would be none.
        let at = self.position().max(Epoch::from_number(1));
        self.epochs.order.queue().tell(&taken(delivered), at);
    }

    /// It was done before the counter was moved to `after`.
    pub fn settle(&self, delivered: &[Undelivered], after: Epoch) {
        self.epochs.order.settle(&taken(delivered), after);
    }

    /// Whether all that was invalidated here is in the store, within `limit`.
    pub async fn flush(&self, limit: Duration) -> bool {
        until_delivered(|| self.undelivered(), limit).await
    }

    /// How this process stands with the store, whose servers have these names, and can be asked or not.
    #[must_use]
    pub fn link(&self, servers: impl IntoIterator<Item = (String, bool)>, entries: &SharedEntries) -> Link {
        let server = |(name, available)| Server { name, address: None, available, connected: available };
        Link {
            out_of_touch: Duration::ZERO,
            position: self.position(),
            waiting: self.undelivered(),
            stalled: self.epochs.order.queue().stalled(),
            records: 0,
            restarts: 0,
            resets: 0,
            malformed: 0,
            servers: servers.into_iter().map(server).collect(),
            replicas: Vec::new(),
            refusals: self.refusals.list(),
            rejections: entries.rejections(),
            unshared: entries.unshared(),
        }
    }
}

impl fmt::Debug for Generations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Generations").field(&self.epochs.order).finish()
    }
}

/// All that covers an entry, but for [`ScopeHash::ALL`].
#[must_use]
pub fn scopes_of(entry: &Entry) -> &[ScopeHash] {
    entry.0.scopes()
}

/// What the change that an entry is a part of has left in the place of its key's generation.
#[must_use]
pub fn mark_of(entry: &Entry) -> Option<u64> {
    entry.0.announcement()?.mark_of(ScopeHash::key(entry.key()))
}

/// Returns when the change that an entry is a part of was settled.
pub async fn replaced(entry: &Entry) {
    if let Some(announcement) = entry.0.announcement() {
        announcement.echoed().await;
    }
}

/// Whether an entry was stored at most so long ago.
#[must_use]
pub fn is_kept_for(core: &Core, entry: &Entry, limit: Duration) -> bool {
    core.now().since(entry.0.life().stored) < limit
}
