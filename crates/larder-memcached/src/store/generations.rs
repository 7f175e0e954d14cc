//! Generations of scopes: beginning them, and the counter that they are taken from.
//!
//! A generation that is missing, or of another incarnation of the counter, begins so:
//!
//! 1. what stands for one that is about to begin is put there, if nothing is, and read with its `cas`;
//! 2. the counter is moved, and read;
//! 3. that is put in the place of what was read, by that `cas` and on that very connection.
//!
//! So what is put there is above all that the counter was before step 1, and nothing has happened to the generation since: no
//! invalidation, which removes it, and no other process that began it. Whatever comes late is refused by the `cas`. A number
//! that was taken before step 1 would not do: another generation might have begun, and been removed, in between. And a server
//! that starts anew counts its `cas` from one again: so the connection, which does not outlive it, has to be the same.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use futures_util::future::join_all;
use larder::{ScopeHash, internal::shared::contained};
use tokio::time::timeout;

use super::{Store, items::ask, tasks::Task};
use crate::{
    client::{Borrowed, Connection, Failure, Item, Storing},
    stamp::Stamp,
};

/// What stands for a generation that is about to begin. No entry is valid by it.
const BEGINS: &[u8] = b"-";

/// How many deadlines a caller waits at most for generations to begin: so many round trips that takes.
const TRIPS: u32 = 3;

/// What was read before the counter is moved: some of it is to be replaced by what the counter is then.
pub(super) struct Beginning<'n> {
    pub(super) index: usize,
    pub(super) connection: Borrowed<'n>,
    pub(super) items: Vec<Item>,
}

/// Generations as they were read: those that are there, and have begun.
pub(crate) type Read = HashMap<ScopeHash, Stamp>;

impl Store {
    /// Sees that generations of these scopes are there, as far as that can be done now, and what the counter is: a computation
    /// that begins then is stored in a way that others can accept. `read` is what was found of them. What takes longer than
    /// [`TRIPS`] round trips may is done in the background, and not waited for.
    pub(crate) async fn prepare(self: &Arc<Self>, scopes: &[ScopeHash], read: &Read) {
        let preparing = async {
            let missing: Vec<_> = scopes.iter().filter(|scope| !read.contains_key(scope)).copied().collect();
            let task = if missing.is_empty() { Task::Look } else { Task::Begin };
            let Some(now) = self.together(task, missing).await else { return };
            let is_over = |scope: &&ScopeHash| read.get(scope).is_some_and(|stamp| !stamp.is_comparable(now));
            let of_others: Vec<_> = scopes.iter().filter(is_over).copied().collect();
            if !of_others.is_empty() {
                self.together(Task::Begin, of_others).await;
            }
        };
        _ = timeout(self.deadline.saturating_mul(TRIPS), preparing).await;
    }

    /// Sees what the counter is.
    pub(crate) async fn look_with_others(self: &Arc<Self>) -> Option<Stamp> {
        self.together(Task::Look, []).await
    }

    pub(super) fn saw(&self, stamp: Stamp) {
        if let Some(epoch) = self.incarnations.seen(stamp) {
            self.order.advance(epoch);
        }
    }

    /// Begins generations of these scopes, where there are none of the counter's incarnation. Gives what the counter is.
    pub(super) async fn begin_now(&self, scopes: Vec<ScopeHash>) -> Option<Stamp> {
        let names = scopes.into_iter().map(|scope| self.names.generation(scope)).collect();
        let read = self.read_to_begin(names).await;
        let number = self.count().await.ok()?;
        let placed = read.into_iter().map(|begun| self.place(begun, number));
        match join_all(placed).await.into_iter().all(|is_placed| is_placed) {
            true => Some(number),
            // Another process has begun one meanwhile, with a number that may be above: what is computed from now on is to
            // be valid by that.
            false => Some(self.look().await.unwrap_or(number)),
        }
    }

    /// The first step: what is under the names of generations, on the connections on which it was read.
    pub(super) async fn read_to_begin(&self, names: Vec<String>) -> Vec<Beginning<'_>> {
        let read = self.by_node(names, |name: &String| name).into_iter().map(async |(index, names)| {
            let node = &self.nodes[index];
            let request = async {
                let mut connection = node.connection(self.deadline).await?;
                let begins: Vec<_> = names.iter().map(|name| storing(name, 0, BEGINS)).collect();
                let items = connection.add_and_get(&begins).await?;
                Ok(Beginning { index, connection, items })
            };
            ask(node, request).await.ok()
        });
        join_all(read).await.into_iter().flatten().collect()
    }

    /// Puts a number in the place of what was read, where that is no generation of the same incarnation. False if something had
    /// happened to one of these meanwhile.
    async fn place(&self, begun: Beginning<'_>, number: Stamp) -> bool {
        let Beginning { index, mut connection, items } = begun;
        let text = number.text();
        let begins = |item: &&Item| !Stamp::of(item).is_some_and(|stamp| stamp.is_comparable(number));
        let all: Vec<_> = items.iter().filter(begins).collect();
        if all.iter().any(|item| item.cas == 0) {
            warn_of_cas(self.nodes[index].address());
            return true;
        }
        let all: Vec<_> = all
            .into_iter()
            .map(|item| (storing(&item.name, number.flags, text.as_bytes()), item.cas))
            .collect();
        let request = async {
            let placed = connection.compare_and_set(&all).await?;
            connection.give_back();
            Ok(placed.into_iter().all(|is_placed| is_placed))
        };
        ask(&self.nodes[index], request).await.unwrap_or(true)
    }

    /// What the counter is. It is made if it is not there.
    pub(super) async fn look(&self) -> Result<Stamp, Failure> {
        let name = self.names.clock();
        let node = self.node_of(&name);
        let request = async {
            let mut connection = node.connection(self.deadline).await?;
            let mut item = get_one(&mut connection, &name).await?;
            if item.is_none() {
                item = make(&mut connection, &name).await?;
            }
            connection.give_back();
            Ok(item)
        };
        stamp_of(ask(node, request).await?)
    }

    /// Moves the counter, and tells what it is then: more than it ever was before this call, or one of an incarnation that
    /// began after this call.
    pub(super) async fn count(&self) -> Result<Stamp, Failure> {
        let name = self.names.clock();
        let node = self.node_of(&name);
        let request = async {
            let mut connection = node.connection(self.deadline).await?;
            let mut item = connection.increment_and_get(&name).await?;
            if item.is_none() {
                item = make(&mut connection, &name).await?;
            }
            connection.give_back();
            Ok(item)
        };
        stamp_of(ask(node, request).await?)
    }

    /// Moves the counter, for those who wait for it in this process.
    pub(crate) async fn count_and_see(&self) -> Result<larder::Epoch, Failure> {
        let stamp = self.count().await?;
        let none = || Failure::unreachable("the counter was lost too often");
        self.incarnations.seen(stamp).ok_or_else(none)
    }
}

/// Makes the counter, unless another process was faster.
async fn make(connection: &mut Borrowed<'_>, name: &str) -> std::io::Result<Option<Item>> {
    let stamp = Stamp::anew();
    let text = stamp.text();
    connection.add(&storing(name, stamp.flags, text.as_bytes())).await?;
    get_one(connection, name).await
}

/// What is under one name.
pub(crate) async fn get_one(connection: &mut Connection, name: &str) -> std::io::Result<Option<Item>> {
    let mut items = Vec::new();
    connection.get(&[name.to_owned()], &mut items).await?;
    Ok(items.pop())
}

fn stamp_of(item: Option<Item>) -> Result<Stamp, Failure> {
    let none = || Failure::unreachable("what should be the counter of generations is none");
    item.as_ref().and_then(Stamp::of).ok_or_else(none)
}

/// It has no end: memcached drops what is in use least.
pub(super) fn storing<'a>(name: &'a str, flags: u32, data: &'a [u8]) -> Storing<'a> {
    Storing { name, flags, expires: 0, data }
}

pub(super) fn warn_of_cas(node: &str) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Relaxed) {
        contained(|| {
            tracing::warn!(
                node,
                "memcached runs without `cas` (option -C): nothing is cached; start it without that option"
            )
        });
    }
}
