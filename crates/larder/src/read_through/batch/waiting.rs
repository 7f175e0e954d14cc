//! What a batch waits for: computations of other callers and of other processes, and turns. Never while it leads what
//! it could compute at once, so that two batches that need what the other one has both go on.

use std::{collections::HashMap, future::Future, hash::Hash};

use super::{Batch, Item, join_all::join_all};
use crate::{
    cache::Cache,
    error_sharing::Sharing,
    read_through::{
        patience::Patience,
        request::{Refreshed, Step},
    },
    singleflight::Leader,
    value::LocalValue,
};

impl<'a, I, V, C, F, S, U> Batch<'a, I, V, C, F, S, U>
where
    I: Clone + Eq + Hash,
    V: LocalValue,
    C: Cache + ?Sized,
    S: Copy,
{
    /// Asks to be the one of all processes that computes, for all that this batch leads at once. What another process
    /// computes stays to be waited for.
    pub(super) async fn try_leases<E>(&mut self) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
    {
        self.ask_for_leases::<E>((false, self.patience)).await
    }

    /// Computes what other processes have still not computed when all the time is over that is waited for them: all of it
    /// in one call, however many keys there are.
    pub(super) async fn give_up_leases<E>(&mut self) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
    {
        let shared = self.cache.storage().shared();
        let is_over = shared.is_none_or(|shared| self.began.elapsed() >= shared.lease_lifetime());
        match is_over && !self.open.leasing.is_empty() {
            true => Box::pin(self.ask_for_leases::<E>((true, self.patience))).await,
            false => Ok(()),
        }
    }

    async fn ask_for_leases<E>(&mut self, terms: (bool, Patience)) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
    {
        let leasing = std::mem::take(&mut self.open.leasing);
        let asked = leasing.into_iter().map(|(mut item, leader, refreshed)| async move {
            let step = item.request.lease::<V, E>(leader, refreshed, &mut item.progress, terms).await;
            (item, step)
        });
        // Side by side: on one connection, they share its round trip.
        let mut elsewhere = Vec::new();
        for (item, step) in join_all(asked).await {
            match step {
                Step::Lease(leader, refreshed) => elsewhere.push((item, leader, refreshed)),
                step => self.advance(item, step)?,
            }
        }
        self.open.leasing.extend(elsewhere);
        Ok(())
    }

    /// Waits for what another process computes. With nothing else to compute, so that no process waits for this one.
    pub(super) async fn wait_for_lease<E>(
        &mut self,
        (mut item, leader, refreshed): (Item<'a, I, C, S>, Leader, Refreshed),
    ) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
    {
        let terms = (true, self.patience);
        let lease = item.request.lease::<V, E>(leader, refreshed, &mut item.progress, terms);
        let step = Box::pin(lease).await;
        self.advance(item, step)
    }

    /// Waits for a turn to compute each item whose failure cannot be given to this batch: a few batches of one item compute
    /// at once.
    pub(super) async fn take_turns<E>(&mut self) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
    {
        let mut turning = std::mem::take(&mut self.open.turning);
        // In one order for all, so that no two batches wait for each other's.
        turning.sort_by(|one, other| one.request.key.cmp(&other.request.key));
        for mut item in turning {
            let step = Box::pin(item.request.turn::<V, E>(&mut item.progress)).await;
            self.advance(item, step)?;
        }
        Ok(())
    }

    /// Waits for what others compute, one after the other. What that leaves open is for another round.
    pub(super) async fn wait<E, Fut>(&mut self) -> Result<(), E>
    where
        E: Send + 'static,
        S: Sharing<E>,
        U: Fn(&V) -> bool,
        F: FnMut(Vec<I>) -> Fut,
        Fut: Future<Output = Result<HashMap<I, V>, E>>,
    {
        let mut outdated = Vec::new();
        let mut waiting = std::mem::take(&mut self.open.waiting).into_iter();
        while let Some((item, waiter)) = waiting.next() {
            // All that others compute is waited for as long as a single value would be.
            let step = item.request.wait::<V, E>(waiter, self.patience, &item.progress).await;
            if let Step::Enter = step {
                // Not now: it may come to lead, while this batch waits for others.
                outdated.push(item);
                continue;
            }
            let leads = step.is_leader();
            self.advance(item, step)?;
            if leads {
                // At once, for a leader that waits for another computation could wait for itself; and together with
                // whatever else was left by the same leader.
                let mut others = Vec::new();
                for (item, waiter) in waiting {
                    match waiter.take_over(self.cache.core().epochs()) {
                        Ok(leader) => {
                            let step = item.request.lead(leader, None);
                            self.advance::<E>(item, step)?;
                        }
                        Err(waiter) => others.push((item, waiter)),
                    }
                }
                self.compute().await?;
                if !self.open.leasing.is_empty() {
                    // It leads what another process computes: no waiting for others before that has come.
                    self.open.waiting.extend(others);
                    break;
                }
                waiting = others.into_iter();
            }
        }
        outdated.into_iter().try_for_each(|item| self.advance::<E>(item, Step::Enter))
    }
}
