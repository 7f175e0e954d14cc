//! Reads, of every kind.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use larder::{CacheExt, Policy};
use tokio::runtime::Handle;

use super::{Failed, Life};
use crate::history::space::{Key, NAMESPACE};
use crate::history::value::Made;

/// A read that may be part of a computation that is part of a read.
type Asked = Pin<Box<dyn Future<Output = Option<Made>> + Send>>;

impl Life {
    pub(super) async fn any_read(self: &Arc<Self>, random: &mut fastrand::Rng) {
        let key = self.space.to_read(random);
        match random.u8(..100) {
            0..25 => drop(self.get(key, random).await),
            25..75 => drop(self.ask(key, random.fork()).await),
            75..82 => self.get_many(random).await,
            82..87 => self.ask_many(random).await,
            87..90 => self.stream(random).await,
            90..95 => self.cancelled(key, random).await,
            95..97 => self.change_inside_a_computation(random).await,
            97 => self.touch(key).await,
            _ => self.catch_up().await,
        }
    }

    /// A read after all is over. Nothing fails any more.
    pub async fn read_at_end(self: &Arc<Self>, key: usize) -> Option<Made> {
        let mut random = fastrand::Rng::new();
        match self.get(key, &mut random).await {
            Some(value) => Some(value),
            None => self.ask(key, random).await,
        }
    }

    /// Only what is there.
    pub(super) async fn get(&self, key: usize, random: &mut fastrand::Rng) -> Option<Made> {
        let cache = self.subject.cache();
        let text = &self.space.keys[key].text;
        let inner = text.strip_prefix(NAMESPACE).and_then(|rest| rest.strip_prefix(':'));
        let before = self.before();
        let value = match inner.filter(|_| random.bool()) {
            Some(inner) => cache.namespace(NAMESPACE).get(inner).await,
            None => cache.get(text).await,
        };
        let value = value.expect("the key is a good one");
        self.saw(before, key, value.as_ref());
        value
    }

    /// What is there, or else computed.
    pub(super) fn ask(self: &Arc<Self>, key: usize, mut random: fastrand::Rng) -> Asked {
        let this = self.clone();
        Box::pin(async move {
            let cache = this.subject.cache();
            let Key { text, policy, .. } = &this.space.keys[key];
            let before = this.before();
            let made = match random.u8(..6) {
                4 => cache.local().get_or_compute(text, policy, || this.make(key, random.fork())).await,
                5 => this.ask_on_a_thread(key, random.fork()).await,
                0 => {
                    let (life, random) = (this.clone(), random.fork());
                    let make = move || async move { life.make(key, random).await };
                    cache.get_or_compute_background(text, policy, make).await
                }
                1 => cache.get_or_compute_shared(text, policy, || this.make(key, random.fork())).await,
                _ => cache.get_or_compute(text, policy, || this.make(key, random.fork())).await,
            };
            match made {
                Ok(value) => {
                    this.saw(before, key, Some(&value));
                    Some(value)
                }
                Err(Failed) => {
                    this.recorder.count(|tally| tally.failures += 1);
                    None
                }
            }
        })
    }

    /// What is there, or else computed by a thread.
    async fn ask_on_a_thread(self: &Arc<Self>, key: usize, random: fastrand::Rng) -> Result<Made, Failed> {
        let (this, runtime, context) = (self.clone(), Handle::current(), larder::context());
        let asked = tokio::task::spawn_blocking(move || {
            let Key { text, policy, .. } = &this.space.keys[key];
            let make = || runtime.block_on(this.make(key, random));
            context.run(|| this.subject.cache().blocking().get_or_compute(text, policy, make))
        });
        asked.await.expect("it panics only when a test has failed")
    }

    async fn get_many(&self, random: &mut fastrand::Rng) {
        let keys: Vec<usize> = (0..6).map(|_| self.space.to_read(random)).collect();
        let texts: Vec<&str> = keys.iter().map(|&key| &*self.space.keys[key].text).collect();
        let before = self.before();
        let values: Vec<Option<Made>> =
            self.subject.cache().get_many(&texts).await.expect("the keys are good ones");
        for (key, value) in keys.into_iter().zip(values) {
            self.saw(before, key, value.as_ref());
        }
    }

    /// Gives what is there its whole lifetime again. What is no longer valid stays so.
    async fn touch(&self, key: usize) {
        let Key { text, policy, .. } = &self.space.keys[key];
        self.subject.cache().touch::<Made>(text, policy).await.expect("the key is a good one");
    }

    /// Keys that have a policy in common, since there is one for all of them, and their tag is in it.
    async fn ask_many(self: &Arc<Self>, random: &mut fastrand::Rng) {
        let policy: Policy = self.space.keys[self.space.to_read(random)].policy.clone();
        let same = |key: &usize| self.space.keys[*key].policy == policy;
        let keys = (0..self.space.keys.len()).filter(same);
        let keys: Vec<usize> = keys.filter(|_| random.u8(..3) > 0).collect();
        let before = self.before();
        let text = |key: &usize| self.space.keys[*key].text.clone();
        let make = |missing: Vec<usize>| {
            let mut random = random.fork();
            async move {
                let mut made = HashMap::new();
                for key in missing {
                    made.insert(key, self.make(key, random.fork()).await?);
                }
                Ok::<_, Failed>(made)
            }
        };
        match self.subject.cache().get_or_compute_many(keys, text, &policy, make).await {
            Ok(values) => values.iter().for_each(|(key, value)| self.saw(before, *key, Some(value))),
            Err(Failed) => self.recorder.count(|tally| tally.failures += 1),
        }
    }

    /// A caller that goes away.
    async fn cancelled(self: &Arc<Self>, key: usize, random: &mut fastrand::Rng) {
        let patience = Duration::from_micros(random.u64(..6_000));
        if tokio::time::timeout(patience, self.ask(key, random.fork())).await.is_err() {
            self.recorder.count(|tally| tally.cancelled += 1);
        }
    }

    /// A computation that changes, reads and stores while it runs.
    async fn change_inside_a_computation(self: &Arc<Self>, random: &mut fastrand::Rng) {
        let key = self.space.to_change(random);
        let policy = Policy::ttl(Duration::from_secs(1));
        let mut inner = random.fork();
        let compute = async || {
            self.change(key, &mut inner).await;
            let value = self.ask(key, inner.fork()).await;
            self.insert_since(key, &mut inner).await;
            Ok::<_, Failed>(value.is_some())
        };
        let _: Result<bool, Failed> = self.subject.cache().get_or_compute("inside", policy, compute).await;
    }
}
