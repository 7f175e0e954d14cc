//! Breadth first through every state, so that the first stale read found has a shortest trace.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::action::{self, Action};
use super::config::Config;
use super::event::{Event, Events};
use super::mutant::Mutant;
use super::state::State;
use super::step::Step;
use super::trace;

/// What a search found.
#[derive(Debug)]
pub struct Outcome {
    /// States reached.
    pub states: usize,
    /// Whether these are all; a search that breaks the promise ends there.
    pub complete: bool,
    /// What the configuration expects, and the search did not see.
    pub unseen: Vec<Event>,
    /// How the promise was broken first.
    pub breach: Option<String>,
}

/// How a state was reached.
#[derive(Clone, Copy)]
struct Node {
    from: u32,
    action: Action,
}

/// Searches the states of a configuration, with all rules or with one of them broken, and ends
/// when there are more than `most`.
///
/// States are told apart by a 64-bit hash: at ten million of them the chance that any one is
/// missed is a few in a million, and the seed is fixed, so that runs agree.
///
/// # Panics
///
/// If there are more than `u32::MAX` states.
#[must_use]
pub fn search(config: &Config, mutant: Option<Mutant>, most: usize) -> Outcome {
    let hasher = FixedState::default();
    let initial = State::initial(config);
    let mut seen = HashSet::with_hasher(FixedState::default());
    seen.insert(hasher.hash_one(initial));
    let mut nodes = vec![Node { from: 0, action: Action::Initial }];
    let mut queue = VecDeque::from([(0u32, initial)]);
    let mut events = Events::default();
    let mut breach = None;
    while let Some((from, state)) = queue.pop_front() {
        action::each(config, &state, |action| {
            if breach.is_some() {
                return;
            }
            let Some(step) = Step::make(config, mutant, &state, action) else {
                return;
            };
            events.extend(step.events);
            if step.breach.is_none() && !seen.insert(hasher.hash_one(step.state)) {
                return;
            }
            let node = u32::try_from(nodes.len()).expect("fewer states than u32::MAX");
            nodes.push(Node { from, action });
            if step.breach.is_some() {
                breach = Some(node);
                return;
            }
            queue.push_back((node, step.state));
        });
        if breach.is_some() {
            break;
        }
        if nodes.len() >= most {
            break;
        }
    }
    Outcome {
        states: seen.len(),
        complete: queue.is_empty() && breach.is_none(),
        unseen: config.expects.iter().copied().filter(|&event| !events.contains(event)).collect(),
        breach: breach.map(|node| trace::render(config, mutant, &path(&nodes, node))),
    }
}

fn path(nodes: &[Node], mut at: u32) -> Vec<Action> {
    let mut actions = Vec::new();
    while at != 0 {
        let Node { from, action } = nodes[at as usize];
        actions.push(action);
        at = from;
    }
    actions.reverse();
    actions
}
