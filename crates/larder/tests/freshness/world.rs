//! The caches, their keys, and what tasks do with them at random.

mod deeds;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use larder::{CacheExt, MemoryCache, Namespace, Policy, Scope};

use crate::log::Tick;

/// How the tasks use the caches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Habit {
    Right,
    InsertsWhatWasReadEarlier,
    HidesItsReads,
    ForgetsToInvalidate,
    MarksInPlaceOfInvalidating,
    ForgetsToMark,
}

/// A key: where it lies, and what its value is made from.
struct Key {
    cache: usize,
    text: String,
    policy: Policy,
    /// It may be served when it is not fresh.
    has_window: bool,
    /// Keys with smaller numbers; a key without any is read at the source.
    parts: Vec<usize>,
    scopes: Vec<usize>,
    scopes_of_absent: Vec<usize>,
    source: AtomicU64,
}

pub(crate) struct World {
    habit: Habit,
    clock: AtomicU64,
    caches: [MemoryCache; 2],
    /// Of the first cache: the keys that begin with `c:`.
    namespace: Namespace,
    keys: Vec<Key>,
    scopes: Vec<(usize, Scope)>,
}

impl World {
    pub(crate) fn new(habit: Habit) -> Arc<Self> {
        // Few slots of scopes, so that collisions are part of the game.
        let cache = || MemoryCache::builder().capacity(100).scope_slots(256).build().unwrap();
        let caches = [cache(), cache()];
        let namespace = caches[0].namespace("c");
        let mut world =
            Self { habit, clock: AtomicU64::new(1), caches, namespace, keys: Vec::new(), scopes: Vec::new() };
        for number in 0..4 {
            world.add(0, format!("a:{number}"), &[]);
            world.add(0, format!("a:b:{number}"), &[]);
            world.add(0, format!("c:{number}"), &[]);
            world.add(1, format!("a:{number}"), &[]);
        }
        let leaves = world.keys.len();
        for number in 0..4 {
            world.add(number % 2, format!("sum:{number}"), &[number, number + 4, number + 9]);
        }
        for number in 0..3 {
            world.add(number % 2, format!("c:top:{number}"), &[number, leaves + number, leaves + number + 1]);
        }
        Arc::new(world)
    }

    fn add(&mut self, cache: usize, text: String, parts: &[usize]) {
        let number = self.keys.len();
        let tag = format!("tag {}", number % 3);
        let colons = text.match_indices(':').map(|(colon, _)| Scope::prefix(&text[..colon]));
        let mut scopes: Vec<_> = std::iter::once(Scope::key(&text)).chain(colons).collect();
        scopes.push(Scope::all());
        let scopes_of_absent: Vec<_> = scopes.into_iter().map(|scope| self.number_of(cache, scope)).collect();
        let mut scopes = scopes_of_absent.clone();
        scopes.push(self.number_of(cache, Scope::tag(&tag)));
        self.keys.push(Key {
            cache,
            text,
            policy: policy(number, &tag, self.habit == Habit::HidesItsReads),
            has_window: matches!(number % 5, 1 | 2),
            parts: parts.to_vec(),
            scopes,
            scopes_of_absent,
            source: AtomicU64::new(0),
        });
    }

    fn number_of(&mut self, cache: usize, scope: Scope) -> usize {
        let wanted = (cache, scope);
        self.scopes.iter().position(|scope| *scope == wanted).unwrap_or_else(|| {
            self.scopes.push(wanted);
            self.scopes.len() - 1
        })
    }

    pub(crate) fn scope_count(&self) -> usize {
        self.scopes.len()
    }

    pub(crate) fn key_count(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn scopes_of(&self, key: usize) -> &[usize] {
        &self.keys[key].scopes
    }

    pub(crate) fn scopes_of_absent(&self, key: usize) -> &[usize] {
        &self.keys[key].scopes_of_absent
    }

    pub(crate) fn has_window(&self, key: usize) -> bool {
        self.keys[key].has_window
    }

    pub(crate) fn describe(&self, scope: usize) -> String {
        format!("{:?}", self.scopes[scope])
    }

    fn tick(&self) -> Tick {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

/// Every kind of end that a value can come to.
fn policy(number: usize, tag: &str, detached: bool) -> Policy {
    let builder = Policy::builder().tag(tag).cache_err(Duration::from_secs(3_600));
    let short = Duration::from_millis(4);
    let window = Duration::from_millis(40);
    let builder = match number % 5 {
        0 => builder.ttl(Duration::from_secs(3_600)),
        1 => builder.ttl(short).stale_while_revalidate(window),
        2 => builder.ttl(short).stale_if_error(window).timeout(Duration::from_millis(1)),
        3 => builder.ttl(window).refresh_ahead(0.1).jitter(0.5),
        _ => builder.ttl(Duration::from_secs(3_600)).idle(window),
    };
    let builder = if detached { builder.detached() } else { builder };
    builder.build().unwrap()
}
