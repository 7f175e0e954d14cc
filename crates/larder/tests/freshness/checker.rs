//! What happened, and whether the rule allows it.

use std::collections::HashMap;

use crate::{
    log::{Log, Made, Read, Tick},
    world::World,
};

/// For one scope or key: by when it was known that something happened at least so late.
#[derive(Clone, Default)]
struct Known(Vec<(Tick, Tick)>);

impl Known {
    fn add(&mut self, returned: Tick, happened: Tick) {
        self.0.push((returned, happened));
    }

    /// Orders the new ones, and lets each know of all before it.
    fn settle(&mut self) {
        self.0.sort_unstable();
        let mut latest = 0;
        for (_, happened) in &mut self.0 {
            latest = latest.max(*happened);
            *happened = latest;
        }
    }

    /// The latest that had returned before `start`.
    fn before(&self, start: Tick) -> Tick {
        match self.0.partition_point(|&(returned, _)| returned < start) {
            0 => 0,
            count => self.0[count - 1].1,
        }
    }

    /// Keeps the last one, for reads of later rounds.
    fn fold(&mut self) {
        self.0.drain(..self.0.len().saturating_sub(1));
    }
}

pub(crate) struct Checker {
    /// By scope: when its invalidations were called.
    called: Vec<Known>,
    /// By scope: when it was marked stale.
    marked: Vec<Known>,
    /// By key: which versions were written before an invalidation that covers the key.
    written: Vec<Known>,
    inserts: HashMap<Tick, Tick>,
}

impl Checker {
    pub(crate) fn new(scopes: usize, keys: usize) -> Self {
        Self {
            called: vec![Known::default(); scopes],
            marked: vec![Known::default(); scopes],
            written: vec![Known::default(); keys],
            inserts: HashMap::new(),
        }
    }

    fn known(&mut self) -> impl Iterator<Item = &mut Known> {
        self.called.iter_mut().chain(&mut self.marked).chain(&mut self.written)
    }

    /// Checks a round that is over.
    pub(crate) fn check(&mut self, world: &World, log: &Log) -> Result<(), String> {
        self.inserts.extend(&log.inserts);
        for change in &log.changes {
            if change.soft {
                self.marked[change.scope].add(change.returned, change.called);
                continue;
            }
            self.called[change.scope].add(change.returned, change.called);
            if let Some((key, version)) = change.written
                && world.scopes_of(key).contains(&change.scope)
            {
                self.written[key].add(change.returned, version);
            }
        }
        self.known().for_each(Known::settle);
        let Self { called, marked, written, inserts } = &*self;
        let judge = Judge { world, called, marked, written, inserts };
        log.reads.iter().try_for_each(|read| judge.read(read))?;
        self.known().for_each(Known::fold);
        Ok(())
    }
}

struct Judge<'a> {
    world: &'a World,
    called: &'a [Known],
    marked: &'a [Known],
    written: &'a [Known],
    inserts: &'a HashMap<Tick, Tick>,
}

impl Judge<'_> {
    fn read(&self, read: &Read) -> Result<(), String> {
        self.made(&read.value, read)?;
        match (read.finds_fresh, self.world.has_window(read.value.key)) {
            (true, _) => self.unmarked(&read.value, read),
            // What it was made from may be old: that has a policy of its own.
            (false, false) => self.covered(&read.value, self.began(&read.value), self.marked, read),
            (false, true) => Ok(()),
        }
    }

    fn began(&self, made: &Made) -> Tick {
        *self.inserts.get(&made.began).unwrap_or(&made.began)
    }

    /// A value, and everything that it was made from: none of it was marked stale since.
    fn unmarked(&self, made: &Made, read: &Read) -> Result<(), String> {
        self.covered(made, self.began(made), self.marked, read)?;
        made.parts
            .iter()
            .filter_map(|part| part.found.as_ref())
            .try_for_each(|found| self.unmarked(found, read))
    }

    /// A value, and everything that it was made from: none of it may be older than a change.
    fn made(&self, made: &Made, read: &Read) -> Result<(), String> {
        self.covered(made, self.began(made), self.called, read)?;
        if let Some(version) = made.version {
            let written = self.written[made.key].before(read.start);
            if version < written {
                return Err(format!("version {version} was read after {written} was written: {read:#?}"));
            }
        }
        made.parts.iter().filter_map(|part| part.found.as_ref()).try_for_each(|found| self.made(found, read))
    }

    /// Nothing that covers `made` is among these `changes` since `began`.
    fn covered(&self, made: &Made, began: Tick, changes: &[Known], read: &Read) -> Result<(), String> {
        self.unchanged(self.world.scopes_of(made.key), began, changes, read)?;
        made.parts.iter().try_for_each(|part| match &part.found {
            Some(found) => self.covered(found, began, changes, read),
            None => self.unchanged(self.world.scopes_of_absent(part.key), began, changes, read),
        })
    }

    fn unchanged(&self, scopes: &[usize], began: Tick, changes: &[Known], read: &Read) -> Result<(), String> {
        for &scope in scopes {
            let called = changes[scope].before(read.start);
            if began < called {
                let what = if std::ptr::eq(changes, self.marked) { "marked" } else { "invalidated" };
                let scope = self.world.describe(scope);
                return Err(format!("began at {began}, but {scope} was {what} at {called}: {read:#?}"));
            }
        }
        Ok(())
    }
}
