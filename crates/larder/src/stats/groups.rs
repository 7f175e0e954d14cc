//! What is counted apart for each cached function and each namespace: bounded in number, and never by key.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock, atomic::AtomicU64},
    time::Duration,
};

use foldhash::fast::RandomState;
use smallvec::SmallVec;

use super::{
    cache_stats::{CacheStats, Counters},
    histogram::AtomicHistogram,
    thread_number::thread_number,
};
use crate::cache_padded::CachePadded;

/// What calls are counted under: a function and a namespace. An entry has that of the call that stored it, or took it over
/// from a shared store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Group(u8);

impl Group {
    /// How many there are at most in one cache.
    pub(crate) const MOST: usize = 256;

    /// What there was no room for.
    const OTHER: Self = Self(u8::MAX);

    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// All groups of a cache.
#[derive(Debug)]
pub(crate) struct Groups {
    known: RwLock<Known>,
    counted: Box<[OnceLock<Box<Counted>>]>,
}

#[derive(Debug, Default)]
struct Known {
    /// By where the function's name lies, and how long it is: a lookup is on the way of every miss. A name may lie in
    /// several places.
    by_place: HashMap<(usize, usize), Namespaces, RandomState>,
    by_name: HashMap<&'static str, Namespaces, RandomState>,
    /// The next one to give.
    next: u8,
}

/// The groups of one function; most have one.
type Namespaces = SmallVec<[(Box<str>, Group); 1]>;

fn group_of(namespaces: &Namespaces, namespace: &str) -> Option<Group> {
    namespaces.iter().find(|(known, _)| **known == *namespace).map(|(_, group)| *group)
}

/// What is counted of one group.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) function: Arc<str>,
    pub(crate) namespace: String,
    /// Fewer than there are threads: nothing of this is on the path of a hit.
    shards: [CachePadded<Counters>; 4],
    pub(crate) computing: AtomicHistogram,
}

impl Groups {
    pub(super) fn new() -> Self {
        let groups =
            Self { known: RwLock::default(), counted: (0..Group::MOST).map(|_| OnceLock::new()).collect() };
        // The first one is the default of `Group`: what is read and stored by hand, outside of namespaces.
        groups.enter("", "");
        groups
    }

    /// The group of a function, by the name of a type in it (`""` for none), with a handle that puts this before its keys.
    pub(super) fn of(&self, function: &'static str, prefix: &str) -> Group {
        if function.is_empty() && prefix.is_empty() {
            return Group::default();
        }
        let namespace = prefix.strip_suffix(':').unwrap_or(prefix);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let namespaces = known.by_place.get(&place(function));
        let group = namespaces.and_then(|namespaces| group_of(namespaces, namespace));
        // Once all are given, no more names are remembered.
        let is_full = Group(known.next) == Group::OTHER;
        drop(known);
        match group {
            Some(group) => group,
            None if is_full => self.other(),
            None => self.enter(function, namespace),
        }
    }

    fn enter(&self, function: &'static str, namespace: &str) -> Group {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let there = known.by_name.get(function).and_then(|namespaces| group_of(namespaces, namespace));
        let group = there.unwrap_or(Group(known.next));
        if group == Group::OTHER {
            drop(known);
            return self.other();
        }
        let in_place = known.by_place.entry(place(function)).or_default();
        if group_of(in_place, namespace).is_none() {
            in_place.push((namespace.into(), group));
        }
        if there.is_none() {
            known.by_name.entry(function).or_default().push((namespace.into(), group));
            known.next += 1;
        }
        drop(known);
        self.counted[group.index()]
            .get_or_init(|| Box::new(Counted::new(readable(function), namespace.to_owned())));
        group
    }

    fn other(&self) -> Group {
        let other = || Box::new(Counted::new("other".to_owned(), "other".to_owned()));
        self.counted[Group::OTHER.index()].get_or_init(other);
        Group::OTHER
    }

    /// Those there are.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Group, &Counted)> {
        let numbered = (0..=u8::MAX).map(Group).zip(&self.counted);
        numbered.filter_map(|(group, counted)| Some((group, &**counted.get()?)))
    }

    /// What is counted of a group. One that was just given, and is not there yet, counts as the first.
    pub(crate) fn counted(&self, group: Group) -> &Counted {
        let first = || self.counted[0].get_or_init(|| Box::new(Counted::new(String::new(), String::new())));
        self.counted[group.index()].get().unwrap_or_else(first)
    }
}

impl Counted {
    fn new(function: String, namespace: String) -> Self {
        let function = function.into();
        Self { function, namespace, shards: Default::default(), computing: AtomicHistogram::default() }
    }

    pub(super) fn add(&self, counter: impl FnOnce(&Counters) -> &AtomicU64, n: u64) {
        let shard = &self.shards[thread_number() % self.shards.len()];
        counter(shard).fetch_add(n, std::sync::atomic::Ordering::Relaxed);
    }

    pub(super) fn add_to(&self, sum: &mut CacheStats) {
        self.shards.iter().for_each(|shard| sum.add(shard));
    }

    /// How long a computation took on the average.
    pub(crate) fn mean_computing_time(&self) -> Duration {
        self.computing.mean()
    }
}

/// Where a name lies, and how long it is.
fn place(name: &'static str) -> (usize, usize) {
    (name.as_ptr().addr(), name.len())
}

/// The path of a function, from the name that the compiler gives to a closure in it: for people, and for labels.
fn readable(name: &str) -> String {
    let mut path = name;
    // In a function, in an `async` block of it, in the companion that runs it.
    while let Some(outer) = path.strip_suffix("::{{closure}}").or_else(|| path.strip_suffix("::__run")) {
        path = outer;
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_by_its_path() {
        assert_eq!(readable("shop::users::user::__run::{{closure}}::{{closure}}"), "shop::users::user");
        assert_eq!(readable("shop::Users::user::{{closure}}"), "shop::Users::user");
    }

    #[test]
    fn groups_are_told_apart_by_function_and_namespace_and_are_bounded() {
        let groups = Groups::new();
        assert_eq!(groups.of("", ""), Group::default());
        let one = groups.of("user", "");
        assert_eq!(groups.of("user", ""), one);
        let elsewhere: &'static str = String::from("user").leak();
        assert_eq!(groups.of(elsewhere, ""), one, "by its name, wherever that lies");
        assert_ne!(groups.of("user", "tenant:"), one);
        for tenant in 0..1_000 {
            groups.of("", &format!("tenant{tenant}:"));
        }
        assert_eq!(groups.of("", "tenant999:"), Group::OTHER);
        assert_eq!(groups.of("user", ""), one, "what is known stays");
        assert_eq!(groups.iter().count(), Group::MOST);
        assert_eq!(groups.counted(Group::OTHER).namespace, "other");
    }
}
