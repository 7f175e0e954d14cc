//! How values are made.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use larder::{context, in_current_computation};

use super::{Failed, Life};
use crate::history::clock;
use crate::history::space::MadeFrom;
use crate::history::value::{Made, Part};

type Making<'a> = Pin<Box<dyn Future<Output = Result<Made, Failed>> + Send + 'a>>;

impl Life {
    /// The computation of a key's value.
    pub(super) fn make(self: &Arc<Self>, key: usize, mut random: fastrand::Rng) -> Making<'_> {
        Box::pin(async move {
            if random.u8(..3) == 0
                && let Some(old) = self.keep(&mut random).await
            {
                return Ok(old);
            }
            // After the library has begun it, before anything is read.
            let began = clock::now();
            self.recorder.count(|tally| tally.computed += 1);
            let (version, parts) = match &self.space.keys[key].made_from {
                MadeFrom::Source | MadeFrom::SourceOf(_) => {
                    let version = self.source.version(key).await;
                    dawdle(&mut random).await;
                    (Some(version), Vec::new())
                }
                MadeFrom::Keys(keys) => (None, self.parts(keys, &mut random).await),
            };
            if !self.is_over() && random.u8(..25) == 0 {
                return Err(Failed);
            }
            Ok(Made { id: self.next_value(), key, began, version, inserted: false, parts })
        })
    }

    /// The old value, made as long ago as it was: nothing that it is made from is read again. Not one that was put in by
    /// hand, which counts as read at the call.
    async fn keep(&self, random: &mut fastrand::Rng) -> Option<Made> {
        dawdle(random).await;
        let old = context().previous::<Made>().filter(|old| !old.inserted)?;
        dawdle(random).await;
        self.recorder.count(|tally| tally.kept += 1);
        Some(old.keep())
    }

    /// What is read for a computation: at once, one after the other, or in tasks of their own.
    async fn parts(self: &Arc<Self>, keys: &[usize], random: &mut fastrand::Rng) -> Vec<Part> {
        let mut parts = Vec::new();
        match (keys, random.u8(..3)) {
            ([one, others @ ..], 0) => {
                let last = *others.last().unwrap_or(one);
                let (first, second) =
                    tokio::join!(self.part(*one, random.fork()), self.part(last, random.fork()));
                parts.extend(first.into_iter().chain(second));
            }
            (_, 1) => {
                let start = |&key: &usize| {
                    let (life, random) = (self.clone(), random.fork());
                    tokio::spawn(in_current_computation(async move { life.part(key, random).await }))
                };
                let tasks: Vec<_> = keys.iter().map(start).collect();
                for task in tasks {
                    parts.extend(task.await.expect("a part panics only when a test has failed"));
                }
            }
            _ => {
                for &key in keys {
                    parts.extend(self.part(key, random.fork()).await);
                    dawdle(random).await;
                }
            }
        }
        parts
    }

    /// One cached value, which may be another computation. One that failed is no part: nothing was found.
    async fn part(self: &Arc<Self>, key: usize, mut random: fastrand::Rng) -> Option<Part> {
        let found = match random.u8(..4) {
            0 => self.get(key, &mut random).await,
            _ => return self.ask(key, random).await.map(|found| Part { key, found: Some(found) }),
        };
        Some(Part { key, found })
    }
}

/// Takes from nothing to 20 ms.
pub(super) async fn dawdle(random: &mut fastrand::Rng) {
    match random.u8(..10) {
        0..5 => {}
        5..7 => tokio::task::yield_now().await,
        7..9 => tokio::time::sleep(Duration::from_micros(random.u64(..3_000))).await,
        _ => tokio::time::sleep(Duration::from_micros(random.u64(..20_000))).await,
    }
}
