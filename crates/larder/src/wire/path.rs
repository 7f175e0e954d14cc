//! Where in a value two digests differ: for people.

use std::{cell::RefCell, collections::HashMap};

/// More parts than that are not looked at.
const MOST: usize = 100_000;

/// The parts of a value that have no parts, with their paths.
#[derive(Debug, Default)]
pub(super) struct Paths(RefCell<PathsState>);

#[derive(Debug, Default)]
struct PathsState {
    path: String,
    /// Where the path's segments begin.
    marks: Vec<usize>,
    muted: bool,
    parts: Vec<(String, u64)>,
}

impl Paths {
    /// Goes into a field.
    pub(super) fn field(&self, name: &str) {
        self.enter(|path| {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        });
    }

    /// Goes into an item.
    pub(super) fn index(&self, index: u64) {
        self.enter(|path| path.push_str(&format!("[{index}]")));
    }

    /// Goes into an entry of a map. Keys may be secrets, and are not shown.
    pub(super) fn key(&self, key: u64) {
        self.enter(|path| path.push_str(&format!("[key {key:016x}]")));
    }

    fn enter(&self, push: impl FnOnce(&mut String)) {
        let state = &mut *self.0.borrow_mut();
        state.marks.push(state.path.len());
        push(&mut state.path);
    }

    /// Goes back.
    pub(super) fn leave(&self) {
        let state = &mut *self.0.borrow_mut();
        let begin = state.marks.pop().unwrap_or_default();
        state.path.truncate(begin);
    }

    /// Whether parts are noted: those of keys are not.
    pub(super) fn mute(&self, muted: bool) {
        self.0.borrow_mut().muted = muted;
    }

    /// Notes a part.
    pub(super) fn leaf(&self, hash: u64) {
        let state = &mut *self.0.borrow_mut();
        if state.parts.len() < MOST && !state.muted {
            state.parts.push((state.path.clone(), hash));
        }
    }

    /// The first path at which two values differ, if it has a name.
    pub(super) fn first_difference(&self, other: &Self) -> Option<String> {
        fn differs(one: &PathsState, other: &PathsState) -> Option<String> {
            let known: HashMap<&str, u64> = other.parts.iter().map(|(path, hash)| (&**path, *hash)).collect();
            let odd = one.parts.iter().find(|(path, hash)| known.get(&**path) != Some(hash))?;
            Some(odd.0.clone())
        }
        let (one, other) = (self.0.borrow(), other.0.borrow());
        let path = differs(&one, &other).or_else(|| differs(&other, &one))?;
        let shown = path.split("[key ").next().unwrap_or_default().to_owned();
        (!shown.is_empty()).then_some(shown)
    }
}
