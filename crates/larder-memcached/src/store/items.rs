//! Items on several nodes at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::timeout;

use super::Store;
use crate::client::{Failure, Item, Node, Storing};

/// What was found under names that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) items: HashMap<String, Item>,
    /// The nodes that could not be asked; whether they did not answer in time.
    pub(crate) failed: HashMap<usize, bool>,
}

/// An item to be stored.
#[derive(Debug)]
pub(crate) struct NewItem {
    pub(crate) name: String,
    pub(crate) flags: u32,
    pub(crate) expires: u32,
    pub(crate) data: Vec<u8>,
}

impl NewItem {
    pub(super) fn storing(&self) -> Storing<'_> {
        let Self { name, flags, expires, data } = self;
        Storing { name, flags: *flags, expires: *expires, data }
    }
}

/// Asks a node, within a limit of time. What is not over by then is dropped, and its connection with it.
pub(super) async fn ask<T>(
    node: &Arc<Node>,
    limit: Duration,
    request: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let outcome = timeout(limit, request).await.unwrap_or(Err(Failure::TimedOut));
    node.note(&outcome);
    outcome
}

impl Store {
    /// What is stored under these names, wherever.
    pub(crate) async fn get(&self, names: Vec<String>) -> Found {
        let asked = self.by_node(names, |name| name).into_iter().map(async |(index, mut names)| {
            names.sort_unstable();
            names.dedup();
            let node = &self.nodes[index];
            let request = async {
                let mut connection = node.borrow().await?;
                let items = connection.get(&names).await?;
                connection.give_back();
                Ok(items)
            };
            (index, ask(node, self.deadline, request).await)
        });
        let mut found = Found::default();
        for (index, items) in join_all(asked).await {
            match items {
                Ok(items) => found.items.extend(items.into_iter().map(|item| (item.name.clone(), item))),
                Err(failure) => _ = found.failed.insert(index, matches!(failure, Failure::TimedOut)),
            }
        }
        found
    }

    /// Stores items. Tells of each what came of it, in their order.
    pub(crate) async fn set(&self, items: Vec<NewItem>) -> Vec<Result<bool, bool>> {
        let count = items.len();
        let numbered = items.into_iter().enumerate().collect();
        let asked = self.by_node(numbered, |(_, item): &(usize, NewItem)| &item.name);
        let asked = asked.into_iter().map(async |(index, items)| {
            let node = &self.nodes[index];
            let request = async {
                let mut connection = node.borrow().await?;
                let all: Vec<_> = items.iter().map(|(_, item)| item.storing()).collect();
                let stored = connection.set(&all).await?;
                connection.give_back();
                Ok(stored)
            };
            let stored = ask(node, self.deadline, request).await;
            (items, stored)
        });
        let mut outcomes = vec![Err(false); count];
        for (items, stored) in join_all(asked).await {
            for (place, (number, _)) in items.iter().enumerate() {
                outcomes[*number] = match &stored {
                    Ok(stored) => Ok(stored[place]),
                    Err(failure) => Err(matches!(failure, Failure::TimedOut)),
                };
            }
        }
        outcomes
    }

    /// Removes what is under these names, as far as that can be done now.
    pub(crate) async fn delete(&self, names: Vec<String>, limit: Duration) {
        let asked = self.by_node(names, |name| name).into_iter().map(async |(index, names)| {
            _ = self.delete_at(index, &names, limit).await;
        });
        join_all(asked).await;
    }

    /// Removes the generations of these names of one node, and leaves marks in the place of others.
    pub(crate) async fn invalidate_at(
        &self,
        index: usize,
        names: &[String],
        marks: &[NewItem],
        limit: Duration,
    ) -> Result<(), Failure> {
        let node = &self.nodes[index];
        let request = async {
            let mut connection = node.connection().await?;
            let marks: Vec<_> = marks.iter().map(NewItem::storing).collect();
            let marked = connection.set(&marks).await?;
            // What was there is to be gone even where there is no room for a mark.
            let not = marks.iter().zip(marked).filter(|(_, is_marked)| !is_marked);
            let not = not.map(|(mark, _)| mark.name.to_owned());
            let names: Vec<_> = names.iter().cloned().chain(not).collect();
            connection.delete(&names).await?;
            connection.give_back();
            Ok(())
        };
        ask(node, limit, request).await
    }

    /// Removes what is under these names of one node.
    pub(crate) async fn delete_at(
        &self,
        index: usize,
        names: &[String],
        limit: Duration,
    ) -> Result<(), Failure> {
        let node = &self.nodes[index];
        let request = async {
            let mut connection = node.connection().await?;
            connection.delete(names).await?;
            connection.give_back();
            Ok(())
        };
        ask(node, limit, request).await
    }

    /// Sorts things by the nodes of their names.
    pub(super) fn by_node<T, N: AsRef<str> + ?Sized>(
        &self,
        all: Vec<T>,
        name: impl Fn(&T) -> &N,
    ) -> Vec<(usize, Vec<T>)> {
        let mut nodes: Vec<(usize, Vec<T>)> = Vec::with_capacity(1);
        for one in all {
            let index = self.placement.of(name(&one).as_ref());
            match nodes.iter_mut().find(|(node, _)| *node == index) {
                Some((_, ones)) => ones.push(one),
                None => nodes.push((index, vec![one])),
            }
        }
        nodes
    }
}
