//! One walk after the other, each with one answer changed, until nothing is left to be asked.
//!
//! The last request that has another answer gets it. So what is inside of an answer is seen before the
//! answer changes, and the number of walks is the number of answers, not the product. After a walk that
//! failed, only requests are looked at that were made since the struct's field was begun in which it
//! failed; if none has another answer, that field is left out from then on, so that its siblings are
//! seen at least.

use std::{cell::RefCell, collections::HashMap};

use super::{
    fault::{self, Fault, Note},
    free,
    tree::{Choice, Id, Kind, Label, Tree},
};

/// Requests in all walks together. With nothing but small answers to give, that is some milliseconds.
const MOST_STEPS: usize = 1 << 17;

/// A field of a struct whose value is being asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) node: Id,
    pub(super) field: usize,
    /// How many choices there were in the walk when it was begun.
    pub(super) begin: usize,
}

/// What the walks of one type have found so far.
pub(super) struct Exploration {
    pub(super) human_readable: bool,
    state: RefCell<State>,
}

struct State {
    tree: Tree,
    steps: usize,
    /// Choices in this walk, in their order.
    trail: Vec<Id>,
    /// Requests in this walk that anything could answer, and how many notes there were.
    probed: Vec<(Id, usize)>,
    /// The innermost field in which this walk failed.
    failed: Option<Frame>,
    /// Whether something was learned in this walk that changes what is offered.
    learned: bool,
    /// How often each type is under way.
    open: HashMap<Id, usize>,
    done: bool,
}

impl Exploration {
    pub(super) fn new(human_readable: bool) -> Self {
        fault::take_notes();
        let state = State {
            tree: Tree::new(),
            steps: 0,
            trail: Vec::new(),
            probed: Vec::new(),
            failed: None,
            learned: false,
            open: HashMap::new(),
            done: false,
        };
        Self { human_readable, state: RefCell::new(state) }
    }

    pub(super) fn goes_on(&self) -> bool {
        !self.state.borrow().done
    }

    pub(super) fn into_tree(self) -> Tree {
        self.state.into_inner().tree
    }

    /// Runs `look` on the tree. No user code runs in it.
    pub(super) fn tree<R>(&self, look: impl FnOnce(&mut Tree) -> R) -> R {
        look(&mut self.state.borrow_mut().tree)
    }

    /// The node of a request.
    pub(super) fn enter(&self, parent: Id, label: Label, kind: Kind) -> Result<Id, Fault> {
        self.within_budget(|tree| tree.child(parent, label, kind))
    }

    /// The node of a request by a type with a name, and whether it was met elsewhere before.
    pub(super) fn enter_type(
        &self,
        parent: Id,
        label: Label,
        kind: Kind,
        name: &'static str,
    ) -> Result<(Id, bool), Fault> {
        self.within_budget(|tree| tree.named(parent, label, kind, name))
    }

    fn within_budget<R>(&self, request: impl FnOnce(&mut Tree) -> Option<R>) -> Result<R, Fault> {
        let mut state = self.state.borrow_mut();
        state.steps += 1;
        let answer = if state.steps > MOST_STEPS { None } else { request(&mut state.tree) };
        state.tree.within_budget &= answer.is_some();
        answer.ok_or(Fault::Refused)
    }

    /// The answer to be given in this walk, out of `answers`.
    pub(super) fn choose(&self, id: Id, choice: Choice, answers: usize) -> usize {
        let mut state = self.state.borrow_mut();
        state.trail.push(id);
        let node = state.tree.node(id);
        (node.choice, node.answers) = (choice, answers);
        node.answer.min(answers - 1)
    }

    /// Begins with a value of the type at `id`; tells how many of it were under way already.
    pub(super) fn open(&self, id: Id) -> usize {
        let mut state = self.state.borrow_mut();
        let open = state.open.entry(id).or_default();
        *open += 1;
        *open - 1
    }

    pub(super) fn close(&self, id: Id) {
        *self.state.borrow_mut().open.entry(id).or_insert(1) -= 1;
    }

    /// Errors that are made from here on may be about the answer given at `id`.
    pub(super) fn probe(&self, id: Id) {
        self.state.borrow_mut().probed.push((id, fault::noted()));
    }

    pub(super) fn frame(&self, node: Id, field: usize) -> Frame {
        Frame { node, field, begin: self.state.borrow().trail.len() }
    }

    pub(super) fn fail(&self, frame: Frame) {
        self.state.borrow_mut().failed.get_or_insert(frame);
    }

    /// Adds names that are known at `id`; the next walk will offer them.
    pub(super) fn learn(&self, id: Id, names: &[&'static str]) -> bool {
        let mut state = self.state.borrow_mut();
        let new = state.tree.learn(id, names);
        state.learned |= new;
        new
    }

    pub(super) fn begin_again(&self) -> Fault {
        self.state.borrow_mut().learned = true;
        Fault::Again
    }

    /// Ends a walk, and prepares the next one.
    pub(super) fn conclude(&self, outcome: Result<(), Fault>) {
        let mut state = self.state.borrow_mut();
        state.heed(fault::take_notes());
        let learned = std::mem::take(&mut state.learned);
        match outcome {
            _ if !state.tree.within_budget => state.done = true,
            // What was learned in a walk that came to its end all the same is not yet explored.
            _ if learned => {}
            Ok(()) => state.go_on(),
            Err(fault) => state.go_around(fault),
        }
        state.trail.clear();
        state.probed.clear();
        state.open.clear();
        state.failed = None;
    }

    /// Ends it all: the type panicked.
    pub(super) fn give_up(&self) {
        let mut state = self.state.borrow_mut();
        state.tree.whole = false;
        state.tree.within_budget = false;
        state.done = true;
        fault::take_notes();
    }
}

impl State {
    /// Learns from the errors that were made in the walk, by whom they may be about.
    fn heed(&mut self, notes: Vec<Note>) {
        for (at, note) in notes.into_iter().enumerate() {
            let mut before = self.probed.iter().take_while(|(_, begin)| *begin <= at).map(|(id, _)| *id);
            match note {
                // The one that is furthest out was buffered as a whole, and is interpreted first.
                Note::Missing(name) => {
                    let tree = &mut self.tree;
                    self.learned |=
                        before.any(|id| tree.node(id).answer == free::AS_MAP && tree.learn(id, &[name]));
                }
                Note::Expected(text) => {
                    if let Some(id) = before.last() {
                        self.tree.note(id, text);
                    }
                }
            }
        }
    }

    /// After a walk that came to its end.
    fn go_on(&mut self) {
        for &id in &self.trail {
            self.tree.node(id).accept();
        }
        self.done = !self.advance_last(0, |choice| choice.is_explored());
    }

    /// After a walk that failed.
    fn go_around(&mut self, fault: Fault) {
        let begin = self.failed.map_or(0, |frame| frame.begin);
        // A field that is left out is missing: only what is explored anyway goes on.
        let structural = matches!(fault, Fault::Missing(_));
        if self.advance_last(begin, |choice| choice.is_explored() || !structural) {
            return;
        }
        self.tree.whole = false;
        match self.failed {
            Some(frame) => self.tree.skip(frame.node, frame.field),
            None => self.done = true,
        }
    }

    /// Gives another answer to the last request that has one, or goes back to one that was accepted.
    fn advance_last(&mut self, begin: usize, eligible: impl Fn(Choice) -> bool) -> bool {
        for index in (begin..self.trail.len()).rev() {
            let node = self.tree.node(self.trail[index]);
            if !node.has_more() || !eligible(node.choice) {
                continue;
            }
            let hides = !node.is_accepted() && node.choice.hides();
            let each = node.choice == Choice::Each;
            if node.advance() {
                self.tree.whole &= !hides;
                if each {
                    self.probe_again(index + 1);
                }
                return true;
            }
        }
        false
    }

    /// What was buffered after a variant was chosen may be meant for this variant: the content beside a
    /// tag.
    fn probe_again(&mut self, begin: usize) {
        for &id in &self.trail[begin..] {
            let node = self.tree.node(id);
            if node.choice == Choice::Probe {
                node.forget();
            }
        }
    }
}
