//! The single operations.

use std::{
    collections::{HashMap, VecDeque},
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, atomic::Ordering},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures_core::Stream;
use larder::{CacheExt, MemoryCache, Scope, cached, context, in_current_computation};
use serde::{Deserialize, Serialize};

use super::{Habit, Key, World};
use crate::log::{Change, Log, Made, Part, Read};

impl World {
    /// Does one thing after the other until the time is over.
    pub(crate) async fn live(self: Arc<Self>, mut random: fastrand::Rng, end: Instant) -> Log {
        let mut deeds = Deeds::new(self);
        while Instant::now() < end {
            deeds.any(&mut random).await;
        }
        deeds.into_log()
    }
}

/// A computation that failed on purpose.
#[derive(Debug, Clone)]
struct Failed;

/// The same for callers who keep errors: one that tells of its making as a value does, or one that is not kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Failure {
    Made(Box<Made>),
    Failed,
}

/// What cached values are found, one after the other.
struct Found<'d>(VecDeque<Finding<'d>>);

type Finding<'d> = Pin<Box<dyn Future<Output = Item> + Send + 'd>>;
type Item = Result<Option<Made>, Failed>;

impl Stream for Found<'_> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(first) = self.0.front_mut() else { return Poll::Ready(None) };
        let found = ready!(first.as_mut().poll(context));
        self.0.pop_front();
        Poll::Ready(Some(found))
    }
}

#[cached(ttl = 3_600, key = "list:<first>", cache = deeds.world.caches[0], skip(deeds, random))]
fn list(
    deeds: &Deeds,
    first: usize,
    mut random: fastrand::Rng,
) -> impl Stream<Item = Result<Option<Made>, Failed>> {
    let found = [first, first + 5, first + 10].map(|key| {
        let random = random.fork();
        let found = async move { deeds.part(key, random).await.map(|part| part.found).ok_or(Failed) };
        Box::pin(found) as _
    });
    Found(found.into())
}

type Asked = Pin<Box<dyn Future<Output = Option<Made>> + Send>>;

/// What one task does; computations that outlive their callers log with it too.
#[derive(Clone)]
pub(super) struct Deeds {
    world: Arc<World>,
    log: Arc<Mutex<Log>>,
}

impl Deeds {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self { world, log: Arc::default() }
    }

    /// The log so far; computations that are still under way write to nowhere from here on.
    pub(super) fn into_log(self) -> Log {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn key(&self, key: usize) -> &Key {
        &self.world.keys[key]
    }

    fn cache(&self, key: usize) -> &MemoryCache {
        &self.world.caches[self.key(key).cache]
    }

    pub(super) async fn any(&mut self, random: &mut fastrand::Rng) {
        let key = random.usize(..self.world.keys.len());
        match random.u8(..100) {
            0..30 => drop(self.get(key).await),
            30..66 => drop(self.ask(key, random.fork()).await),
            66..72 => self.ask_many(random).await,
            72..84 => self.change(key, random, false),
            84..90 => self.change(key, random, true),
            90..93 => self.insert(key).await,
            93 => self.touch(key).await,
            94..96 => self.insert_since(key, random).await,
            96..98 => self.read_list(random).await,
            98 => self.cancelled(key, random).await,
            _ => self.change_inside_a_computation(key, random).await,
        }
    }

    fn read(&self, start: u64, value: Option<&Made>) {
        self.note(start, false, value);
    }

    fn note(&self, start: u64, finds_fresh: bool, value: Option<&Made>) {
        let mut log = self.log.lock().unwrap();
        log.reads_made += 1;
        log.reads.extend(value.map(|value| Read { start, finds_fresh, value: value.clone() }));
    }

    async fn get(&self, key: usize) -> Option<Made> {
        let start = self.world.tick();
        let text = &self.key(key).text;
        let value = match text.strip_prefix("c:") {
            Some(inner) if start.is_multiple_of(2) && self.key(key).cache == 0 => {
                self.world.namespace.get(inner).await
            }
            _ => self.cache(key).get(text).await,
        };
        let value = value.unwrap();
        self.note(start, true, value.as_ref());
        value
    }

    /// Reads through one of the verbs that compute.
    fn ask(&self, key: usize, mut random: fastrand::Rng) -> Asked {
        let this = self.clone();
        Box::pin(async move {
            let (cache, Key { text, policy, .. }) = (this.cache(key), this.key(key));
            let start = this.world.tick();
            let value = match random.u8(..5) {
                0 => {
                    let (this, random) = (this.clone(), random.fork());
                    let compute = move || async move { this.compute(key, random).await };
                    cache.get_or_compute_background(text, policy, compute).await
                }
                4 => {
                    let is_kept = |failure: &Failure| matches!(failure, Failure::Made(_));
                    let compute = || this.compute_or_fail(key, random.fork());
                    match cache.get_or_compute_keeping(text, policy, is_kept, compute).await {
                        Err(Failure::Made(made)) => Ok(*made),
                        value => value.map_err(|_| Failed),
                    }
                }
                1 => cache.get_or_compute_shared(text, policy, || this.compute(key, random.fork())).await,
                _ => cache.get_or_compute(text, policy, || this.compute(key, random.fork())).await,
            };
            let value = value.ok();
            this.read(start, value.as_ref());
            value
        })
    }

    /// As [`compute`](Self::compute); what is made is an error now and then.
    async fn compute_or_fail(&self, key: usize, mut random: fastrand::Rng) -> Result<Made, Failure> {
        let fails = random.bool();
        match self.compute(key, random).await {
            Ok(made) if fails => Err(Failure::Made(Box::new(made))),
            made => made.map_err(|_| Failure::Failed),
        }
    }

    async fn compute(&self, key: usize, mut random: fastrand::Rng) -> Result<Made, Failed> {
        if random.u8(..3) == 0
            && let Some(old) = self.keep(&mut random).await
        {
            return Ok(old);
        }
        let began = self.world.tick();
        let Key { parts, source, .. } = self.key(key);
        if parts.is_empty() {
            let version = source.load(Ordering::SeqCst);
            self.dawdle(&mut random).await;
            if random.u8(..10) == 0 {
                return Err(Failed);
            }
            return Ok(Made { key, began, version: Some(version), parts: Vec::new() });
        }
        let parts = match random.u8(..3) {
            0 => {
                let [one, two, three] = [0, 1, 2].map(|part| self.part(parts[part], random.fork()));
                let (one, two, three) = tokio::join!(one, two, three);
                vec![one, two, three]
            }
            1 => {
                let mut found = Vec::new();
                for &part in parts {
                    found.push(self.part(part, random.fork()).await);
                    self.dawdle(&mut random).await;
                }
                found
            }
            _ => {
                let tasks: Vec<_> = parts
                    .iter()
                    .map(|&part| {
                        let (this, random) = (self.clone(), random.fork());
                        tokio::spawn(in_current_computation(async move { this.part(part, random).await }))
                    })
                    .collect();
                let mut found = Vec::new();
                for task in tasks {
                    found.push(task.await.unwrap());
                }
                found
            }
        };
        // What failed was not read from a cache, and its error says nothing of the checker's concern.
        Ok(Made { key, began, version: None, parts: parts.into_iter().flatten().collect() })
    }

    /// The old value, whose making is as long ago as it was, and whose parts are not read again.
    async fn keep(&self, random: &mut fastrand::Rng) -> Option<Made> {
        self.dawdle(random).await;
        let old = context().previous::<Made>()?;
        self.dawdle(random).await;
        self.log.lock().unwrap().kept += 1;
        Some(old.keep())
    }

    async fn part(&self, key: usize, mut random: fastrand::Rng) -> Option<Part> {
        if random.bool() {
            return Some(Part { key, found: self.get(key).await });
        }
        let found = self.ask(key, random).await?;
        Some(Part { key, found: Some(found) })
    }

    async fn ask_many(&self, random: &mut fastrand::Rng) {
        let keys: Vec<_> = (0..5).map(|_| random.usize(..self.world.keys.len())).collect();
        let cache = random.usize(..2);
        let keys: Vec<_> = keys.into_iter().filter(|&key| self.key(key).cache == cache).collect();
        let Some(&first) = keys.first() else { return };
        // One policy is for all of them, so the tag has to be too.
        let same = |key: &usize| self.key(*key).policy == self.key(first).policy;
        let keys: Vec<_> = keys.iter().copied().filter(same).collect();
        let start = self.world.tick();
        let compute = |missing: Vec<usize>| {
            let mut random = random.fork();
            async move {
                let mut made = HashMap::new();
                for key in missing {
                    made.extend(self.compute(key, random.fork()).await.ok().map(|value| (key, value)));
                }
                Ok::<_, Failed>(made)
            }
        };
        let text = |key: &usize| self.key(*key).text.clone();
        let many = self.world.caches[cache].get_or_compute_many(keys, text, &self.key(first).policy, compute);
        for value in many.await.into_iter().flatten() {
            self.read(start, Some(&value.1));
        }
    }

    /// Writes to the source, and then invalidates something that covers the key, or marks it stale.
    fn change(&self, key: usize, random: &mut fastrand::Rng, soft: bool) {
        let world = &self.world;
        let version = world.tick();
        self.key(key).source.fetch_max(version, Ordering::SeqCst);
        let scopes = world.scopes_of(key);
        // Everything is dropped less often, or there would be nothing to find.
        let scope = loop {
            let scope = scopes[random.usize(..scopes.len())];
            if world.scopes[scope].1 != Scope::all() || random.u8(..20) == 0 {
                break scope;
            }
        };
        let called = world.tick();
        let (cache, what) = &world.scopes[scope];
        let forgets = if soft { Habit::ForgetsToMark } else { Habit::ForgetsToInvalidate };
        let is_mixed_up = world.habit == Habit::MarksInPlaceOfInvalidating && random.u8(..20) == 0;
        if world.habit == forgets && random.u8(..20) == 0 {
            // Nothing, where there should be something.
        } else if soft || is_mixed_up {
            drop(world.caches[*cache].mark_stale(what.clone()));
        } else if *cache == 0 && *what == Scope::prefix("c") && random.bool() {
            drop(world.namespace.bump());
        } else {
            drop(world.caches[*cache].invalidate(what.clone()));
        }
        let returned = world.tick();
        let written = Some((key, version));
        self.log.lock().unwrap().changes.push(Change { scope, soft, written, called, returned });
    }

    async fn insert(&self, key: usize) {
        let began = self.world.tick();
        let value = Made { key, began, version: None, parts: Vec::new() };
        let early = self.world.habit == Habit::InsertsWhatWasReadEarlier;
        if early {
            tokio::task::yield_now().await;
        }
        let Key { text, policy, .. } = self.key(key);
        self.cache(key).insert(text, &value, policy).await.unwrap();
        if !early {
            self.log.lock().unwrap().inserts.insert(began, self.world.tick());
        }
    }

    /// Whatever it is, it is no newer than it was.
    async fn touch(&self, key: usize) {
        let Key { text, policy, .. } = self.key(key);
        let _ = self.cache(key).touch::<Made>(text, policy).await.unwrap();
    }

    async fn insert_since(&self, key: usize, random: &mut fastrand::Rng) {
        let since = self.cache(key).begin();
        let began = self.world.tick();
        let version = self.key(key).source.load(Ordering::SeqCst);
        self.dawdle(random).await;
        let value = Made { key, began, version: Some(version), parts: Vec::new() };
        let Key { text, policy, .. } = self.key(key);
        self.cache(key).insert_since(since, text, &value, policy).await.unwrap();
    }

    /// A caller that goes away.
    async fn cancelled(&self, key: usize, random: &mut fastrand::Rng) {
        let asked = self.ask(key, random.fork());
        let _ = tokio::time::timeout(Duration::from_micros(100), asked).await;
    }

    /// A computation that changes, and reads and stores, while it runs.
    async fn change_inside_a_computation(&self, key: usize, random: &mut fastrand::Rng) {
        let compute = async || {
            let soft = random.bool();
            self.change(key, random, soft);
            let value = self.ask(key, random.fork()).await;
            self.insert_since(key, random).await;
            Ok::<_, Failed>(value.is_some())
        };
        let _ = self.cache(key).get_or_compute("inside", &self.key(key).policy, compute).await;
    }

    /// Reads a cached stream, to its end or not. A list is as fresh as each of its items, which counts as a read of its own.
    async fn read_list(&self, random: &mut fastrand::Rng) {
        let start = self.world.tick();
        let first = random.usize(..4);
        let mut stream = Box::pin(list(self, first, random.fork()));
        while let Some(item) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            if let Ok(Some(made)) = &item {
                self.read(start, Some(made));
            }
            if random.u8(..10) == 0 {
                break;
            }
            self.dawdle(random).await;
        }
    }

    /// Gives others the time to come in between.
    async fn dawdle(&self, random: &mut fastrand::Rng) {
        match random.u8(..10) {
            0 => tokio::time::sleep(Duration::from_millis(1)).await,
            1..4 => tokio::task::yield_now().await,
            4 => (0..1_000).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }
}
