//! What values were made from, and what that demands of those who read them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::history::clock::Moment;
use crate::history::log::Node;
use crate::history::space::Space;
use crate::history::value::ValueId;

/// All values of a run.
#[derive(Default)]
pub(super) struct Trees {
    nodes: HashMap<ValueId, Node>,
    /// When the insert of a value had returned.
    inserts: HashMap<ValueId, Moment>,
    demands: RefCell<HashMap<ValueId, Rc<[Demand]>>>,
}

/// Nothing that was called after `since` may cover a value, under this scope, for those who have heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) scope: usize,
    pub(super) since: Moment,
    /// The value, or the part of it, that has this scope.
    pub(super) value: ValueId,
}

impl Trees {
    /// Takes in a value; gives its number back if there was another one with it.
    pub(super) fn add(&mut self, node: Node) -> Option<ValueId> {
        match self.nodes.get(&node.id) {
            Some(known) => (*known != node).then_some(node.id),
            None => {
                self.nodes.insert(node.id, node);
                None
            }
        }
    }

    /// A value was put in by then.
    pub(super) fn inserted(&mut self, value: ValueId, returned: Moment) {
        self.inserts.insert(value, returned);
    }

    pub(super) fn node(&self, value: ValueId) -> Option<&Node> {
        self.nodes.get(&value)
    }

    /// The key that a value was made for, and when its making began.
    pub(super) fn origin(&self, value: ValueId) -> Option<(usize, Moment)> {
        self.node(value).map(|node| (node.key, node.began))
    }

    /// What a value demands.
    pub(super) fn demands(&self, space: &Space, value: ValueId) -> Rc<[Demand]> {
        if let Some(known) = self.demands.borrow().get(&value) {
            return known.clone();
        }
        let mut demands = Vec::new();
        self.gather(space, value, Moment::MAX, &mut demands);
        self.gather_marks(space, value, &mut demands);
        let demands: Rc<[Demand]> = demands.into();
        self.demands.borrow_mut().insert(value, demands.clone());
        demands
    }

    /// Those of a value within another one whose making began at `outer`: it covers that one too.
    fn gather(&self, space: &Space, value: ValueId, outer: Moment, demands: &mut Vec<Demand>) {
        let Some(node) = self.nodes.get(&value) else { return };
        let since = self.began(node).min(outer);
        let mut add = |scopes: &[usize]| {
            for &scope in scopes {
                let demand = Demand { scope, since, value };
                if !demands.contains(&demand) {
                    demands.push(demand);
                }
            }
        };
        add(&space.keys[node.key].scopes);
        for (key, found) in &node.parts {
            if found.is_none() {
                add(&space.keys[*key].scopes_of_absent);
            }
        }
        for found in node.parts.iter().filter_map(|(_, found)| *found) {
            self.gather(space, found, since, demands);
        }
    }

    /// That the value is none that was marked stale, where nothing old is served. Not of what it was made from, which may
    /// have been served once more when it was read.
    fn gather_marks(&self, space: &Space, value: ValueId, demands: &mut Vec<Demand>) {
        let Some(node) = self.nodes.get(&value) else { return };
        let (key, since) = (&space.keys[node.key], self.began(node));
        if key.is_strict {
            let marks = key.scopes.iter().map(|scope| space.mark_of(*scope));
            demands.extend(marks.map(|scope| Demand { scope, since, value }));
        }
    }

    /// When the making of a value began. One that is inserted is read at some moment of that; it is not known
    /// which.
    fn began(&self, node: &Node) -> Moment {
        if !node.inserted {
            return node.began;
        }
        self.inserts.get(&node.id).copied().unwrap_or(Moment::MAX)
    }
}
