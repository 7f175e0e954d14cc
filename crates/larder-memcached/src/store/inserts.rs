//! Proving what is inserted: it counts from the moment on at which it has reached the nodes.
//!
//! 1. Its own change leaves a mark in the place of its key's generation, another one at each attempt (`delivery`). At the same
//!    time the generations of its other scopes are read; what is missing of them begins, as after a miss.
//! 2. The mark is read with its `cas`, and the counter is moved.
//! 3. What the counter is then takes the place of the mark, and of what begins, by `cas` and on the connections on which that was
//!    read. Generations that were there are read again: each must be what it was.
//!
//! So nothing was invalidated between the first step and the third, and whatever is invalidated later begins above the number
//! that the entry has. Where any of it fails, it is not stored: nothing proves it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::future::join_all;
use larder::{
    Entry, Scope, ScopeHash,
    internal::shared::{mark_of, replaced, scopes_of},
};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Store,
    generations::{Beginning, storing, warn_of_cas},
    items::ask,
};
use crate::{client::Item, stamp::Stamp};

/// The generations of which is known that nothing happened to them, by what they are called, and up to where.
pub(crate) struct Proved {
    pub(crate) stamp: Stamp,
    generations: HashSet<String>,
}

impl Proved {
    /// Whether all that covers an entry is proved.
    pub(crate) fn covers(&self, store: &Store, entry: &Entry) -> bool {
        let scopes = scopes_of(entry).iter().chain([&ScopeHash::ALL]);
        scopes.map(|scope| store.names.generation(*scope)).all(|name| self.generations.contains(&name))
    }
}

/// The text of a mark. No entry is valid by it, and a miss takes it for a generation that is about to begin.
pub(crate) fn mark_text(mark: u64) -> String {
    format!("-{mark:016x}")
}

impl Store {
    /// Proves entries that were inserted, as far as that can be done until `patience` ends; `are_all` of their call, or some of
    /// that are out of reach. None if not one of them is.
    pub(crate) async fn prove(&self, entries: &[Entry], are_all: bool, patience: Instant) -> Option<Proved> {
        let key = |entry: &Entry| Scope::key(entry.key()).hash();
        let keys: HashSet<_> = entries.iter().map(key).collect();
        let others = entries.iter().flat_map(scopes_of).chain([&ScopeHash::ALL]);
        let others: HashSet<_> = others.filter(|scope| !keys.contains(scope)).collect();
        let others = others.into_iter().map(|scope| self.names.generation(*scope)).collect();

        let _permit = timeout_at(patience, self.inserters.acquire()).await.ok()?;
        let delivered = async {
            match entries.first() {
                // They are one change.
                Some(entry) if are_all => replaced(entry).await,
                _ => self.settled(&keys).await,
            }
        };
        let (others, delivered) = tokio::join!(self.read_to_begin(others), timeout_at(patience, delivered));
        delivered.ok()?;
        let marks =
            entries.iter().filter_map(|entry| Some((self.names.generation(key(entry)), mark_of(entry)?)));
        let marks: HashMap<_, _> = marks.collect();
        let (marked, number) = tokio::join!(self.read_marks(&marks), self.count());
        let number = number.ok().inspect(|number| self.saw(*number))?;
        let proved = others.into_iter().map(|read| self.place_and_read(read, number));
        let proved =
            join_all(proved.chain(marked.into_iter().map(|read| self.place_and_read(read, number)))).await;
        Some(Proved { stamp: number, generations: proved.into_iter().flatten().collect() })
    }

    /// Returns when none of these scopes waits to be delivered and settled, whatever else their call has changed.
    async fn settled(&self, scopes: &HashSet<ScopeHash>) {
        const PAUSE: Duration = Duration::from_millis(2);
        while scopes.iter().any(|scope| self.order.is_undelivered(*scope)) {
            sleep(PAUSE).await;
        }
    }

    /// The marks that are there, with their `cas`.
    async fn read_marks(&self, marks: &HashMap<String, u64>) -> Vec<Beginning<'_>> {
        let names = marks.keys().cloned().collect();
        let read = self.by_node(names, |name: &String| name).into_iter().map(async |(index, names)| {
            let node = &self.nodes[index];
            let request = async {
                let mut connection = node.connection(self.deadline).await?;
                let mut items = Vec::with_capacity(names.len());
                connection.get(&names, &mut items).await?;
                items.retain(|item| {
                    marks.get(&item.name).is_some_and(|mark| item.data == mark_text(*mark).as_bytes())
                });
                Ok(Beginning { index, connection, items })
            };
            ask(node, request).await.ok()
        });
        join_all(read).await.into_iter().flatten().collect()
    }

    /// The third step on one connection. Gives what the generations are called that are proved.
    async fn place_and_read(&self, read: Beginning<'_>, number: Stamp) -> Vec<String> {
        let Beginning { index, mut connection, items } = read;
        if items.iter().any(|item| item.cas == 0) {
            warn_of_cas(self.nodes[index].address());
            return Vec::new();
        }
        let is_there = |item: &Item| Stamp::of(item).is_some_and(|stamp| stamp.is_comparable(number));
        let (there, begins): (Vec<_>, Vec<_>) = items.into_iter().partition(is_there);
        let text = number.text();
        let placing: Vec<_> = begins
            .iter()
            .map(|item| (storing(&item.name, number.flags, text.as_bytes()), item.cas))
            .collect();
        let names: Vec<_> = there.iter().map(|item| item.name.clone()).collect();
        let request = async {
            let placed = connection.compare_and_set(&placing).await?;
            let mut again = Vec::with_capacity(names.len());
            connection.get(&names, &mut again).await?;
            connection.give_back();
            Ok((placed, again))
        };
        let Ok((placed, again)) = ask(&self.nodes[index], request).await else {
            return Vec::new();
        };
        let again: HashMap<_, _> = again.iter().map(|item| (&item.name, Stamp::of(item))).collect();
        let unchanged = there.iter().filter(|item| again.get(&item.name) == Some(&Stamp::of(item)));
        let placed = begins.iter().zip(placed).filter_map(|(item, is_placed)| is_placed.then_some(item));
        placed.chain(unchanged).map(|item| item.name.clone()).collect()
    }
}
