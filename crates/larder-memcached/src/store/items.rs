//! Items on several nodes at once.

use std::{
    collections::HashMap,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use larder::internal::shared::abandonable;

use super::Store;
use crate::client::{Failure, Item, Node, Storing};

/// What was found under names that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) items: HashMap<String, Item>,
    /// The nodes that could not be asked, or not for all of it; whether they did not answer in time.
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

/// Asks a node, on a connection whose limit of time is for each piece. What takes longer is dropped, and its connection with it.
pub(crate) async fn ask<T>(
    node: &Arc<Node>,
    request: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let began = Instant::now();
    // A caller that goes away has waited in vain too.
    let mut request = pin!(abandonable(node.deadline(), request, || node.note_abandoned(began)));
    let outcome = request.as_mut().await;
    request.settle();
    node.note(began, &outcome);
    outcome
}

/// The same for a caller, once it has its turn.
pub(crate) async fn ask_in_turn<T>(
    node: &Arc<Node>,
    request: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let _permit = node.permit().await?;
    ask(node, request).await
}

impl Store {
    /// What is stored under these names, wherever.
    pub(crate) async fn get(&self, names: Vec<String>) -> Found {
        let asked = self.by_node(names, |name| name).into_iter().map(async |(index, mut names)| {
            names.sort_unstable();
            names.dedup();
            let (node, mut items) = (&self.nodes[index], Vec::new());
            let request = async {
                let mut connection = node.connection(self.deadline).await?;
                connection.get(&names, &mut items).await?;
                connection.give_back();
                Ok(())
            };
            let asked = ask_in_turn(node, request).await;
            (index, items, asked)
        });
        let mut found = Found::default();
        for (index, items, asked) in join_all(asked).await {
            found.items.extend(items.into_iter().map(|item| (item.name.clone(), item)));
            if let Err(failure) = asked {
                found.failed.insert(index, matches!(failure, Failure::TimedOut));
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
            let (node, mut stored) = (&self.nodes[index], Vec::new());
            let request = async {
                let mut connection = node.connection(self.deadline).await?;
                let all: Vec<_> = items.iter().map(|(_, item)| item.storing()).collect();
                connection.set(&all, &mut stored).await?;
                connection.give_back();
                Ok(())
            };
            let asked = ask_in_turn(node, request).await;
            (items, stored, asked)
        });
        let mut outcomes = vec![Err(false); count];
        for (items, stored, asked) in join_all(asked).await {
            let failure = Err(matches!(asked, Err(Failure::TimedOut)));
            for (place, (number, _)) in items.iter().enumerate() {
                outcomes[*number] = stored.get(place).map_or(failure, |stored| Ok(*stored));
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
            let mut connection = node.connection(limit).await?;
            let marks: Vec<_> = marks.iter().map(NewItem::storing).collect();
            let mut marked = Vec::with_capacity(marks.len());
            connection.set(&marks, &mut marked).await?;
            // What was there is to be gone even where there is no room for a mark.
            let not = marks.iter().zip(marked).filter(|(_, is_marked)| !is_marked);
            let not = not.map(|(mark, _)| mark.name.to_owned());
            let names: Vec<_> = names.iter().cloned().chain(not).collect();
            connection.delete(&names).await?;
            connection.give_back();
            Ok(())
        };
        ask(node, request).await
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
            let mut connection = node.connection(limit).await?;
            connection.delete(names).await?;
            connection.give_back();
            Ok(())
        };
        ask(node, request).await
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
