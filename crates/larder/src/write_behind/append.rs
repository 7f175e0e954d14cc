//! How writes come into a queue.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{
    handle::{Running, WriteBehind},
    id::WriteId,
    options::WhenFull,
    queue_state::{Phase, Shared},
    stats::Figures,
    store::{Appended, Draft, QueueDepth},
};
use crate::{
    clock::instant_after,
    error::{Error, Kind, Result},
    key,
    value::Value,
};

impl<T: Value> WriteBehind<T> {
    /// Takes several writes, in this order, each as [`write`](Self::write) does; `Ok` acknowledges them all.
    ///
    /// On Redis some 1,000 writes, or a megabyte, are one round trip and lie in the queue one behind the other, all of them or
    /// none; more are several round trips. A full queue that [waits](WhenFull::Wait) takes what it has room for as it
    /// comes, and waits anew for what is left; one that [refuses](WhenFull::Fail) takes none of them unless it has room for
    /// all.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write). If a key or a value is wrong, none of them is taken. After another error none is
    /// acknowledged, and the first of them may be in the queue all the same: to make them all again, in the same order,
    /// leaves each row as it is to be. If the future is dropped, the first of them may be in the queue too.
    pub async fn write_many<K: AsRef<str> + Sync>(&self, writes: &[(K, T)]) -> Result<Vec<WriteId>> {
        let drafts = writes.iter().map(|(key, value)| self.draft(key.as_ref(), value, None));
        let drafts = drafts.collect::<Result<Vec<_>>>()?;
        let mut ids = Vec::with_capacity(drafts.len());
        while let left @ [_, ..] = &drafts[ids.len()..] {
            let (now, later) = left.split_at(at_once(left));
            ids.extend(self.append(now, later.len()).await?.0);
        }
        Ok(ids)
    }

    pub(super) fn draft<'w>(
        &self,
        key: &'w str,
        value: &T,
        cache_key: Option<&'w str>,
    ) -> Result<Draft<'w, T>> {
        key::check(key)?;
        Ok(Draft { key, value: self.shared.store.prepare(value, key)?, cache_key })
    }

    /// Appends these, which are no more than one call takes, or the first of them: as many as there is room for, and all
    /// where no one waits. Others are to come then, which there has to be room for too.
    pub(super) async fn append(&self, drafts: &[Draft<'_, T>], later: usize) -> Result<(Vec<WriteId>, bool)> {
        let Shared { store, options, figures, .. } = &*self.shared;
        let (end, later) = match options.when_full {
            WhenFull::Wait(limit) => (Some(instant_after(limit).into()), None),
            WhenFull::Fail => (None, Some(later)),
        };
        let limit = options.max_waiting.saturating_sub(later.unwrap_or(0) as u64);
        let mut count = drafts.len();
        loop {
            let stopped = || Err(self.stopped());
            if *self.control.phase.borrow() != Phase::Running || self.would_wait_for_ever() {
                return stopped();
            }
            let depth = match self.try_append(limit, &drafts[..count]).await? {
                Appended::Kept { ids, committing } => return Ok((ids, committing)),
                Appended::Full(depth) => depth,
                Appended::Closed => return stopped(),
            };
            let Some(end) = end.filter(|end| Instant::now() < *end) else {
                figures.full.fetch_add(1, Relaxed);
                return Err(self.full(depth, later.map_or(1, |later| drafts.len() + later)));
            };
            let room = usize::try_from(limit.saturating_sub(depth.waiting + depth.dead));
            let room = room.unwrap_or(usize::MAX);
            if (1..count).contains(&room) {
                count = room;
                continue;
            }
            // Woken now and then: others take the room as well.
            const LONGEST: Duration = Duration::from_millis(50);
            _ = timeout_at(end.min(Instant::now() + LONGEST), store.room()).await;
        }
    }

    /// What is written in memory has one consumer, and is lost once that is gone.
    fn would_wait_for_ever(&self) -> bool {
        let in_memory = self.shared.without_handle == Phase::Draining;
        in_memory && self.control.consumer.as_ref().is_none_or(Running::has_ended)
    }

    async fn try_append(&self, limit: u64, drafts: &[Draft<'_, T>]) -> Result<Appended> {
        let Shared { store, figures, .. } = &*self.shared;
        let appended = store.append(limit, drafts).await;
        match &appended {
            Ok(Appended::Kept { ids, .. }) => Figures::add(&figures.acknowledged, ids.len()),
            Ok(Appended::Full(_) | Appended::Closed) => {}
            Err(_) => Figures::add(&figures.unacknowledged, drafts.len()),
        }
        appended
    }

    pub(super) fn stopped(&self) -> Error {
        Kind::QueueStopped { queue: self.shared.options.name.clone() }.into()
    }

    /// Says what is in the way of so many writes that are taken together, and what mends it.
    fn full(&self, QueueDepth { waiting, dead }: QueueDepth, writes: usize) -> Error {
        let Shared { options, figures, .. } = &*self.shared;
        let name = &options.name;
        let failure = figures.all().last_failure;
        let why = match (dead > waiting, failure.is_empty()) {
            _ if writes as u64 > options.max_waiting => {
                format!("{writes} writes at once never fit: make fewer, or raise `max_waiting`")
            }
            (true, _) => "replay or discard the dead letters".to_owned(),
            (false, false) => {
                format!("the database does not take them ({failure}): mend that, and they are written")
            }
            (false, true) => {
                "the database takes fewer than are made: see that a consumer runs and is fast enough, \
                              or raise `max_waiting`"
                    .to_owned()
            }
        };
        Kind::QueueFull(format!(
            "the write-behind queue {name:?} is full: {waiting} writes wait and {dead} are dead letters, of {} at most; {why}",
            options.max_waiting
        ))
        .into()
    }
}

/// How many of these writes one call of the server takes.
fn at_once<T>(drafts: &[Draft<'_, T>]) -> usize {
    const WRITES: usize = 1_000;
    const BYTES: usize = 1 << 20;
    let mut bytes = 0;
    let fits = |draft: &&Draft<'_, T>| {
        bytes += draft.key.len() + draft.value.size();
        bytes <= BYTES
    };
    drafts.iter().take(WRITES).take_while(fits).count().max(1)
}
