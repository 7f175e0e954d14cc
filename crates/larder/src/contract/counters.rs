//! Counters: numbers in a key space of their own.

use std::{sync::Arc, time::Duration};

use super::trial::{LONG, Trial, violated};
use crate::{Cache, CacheExt, Error, Scope};

impl Trial {
    /// The number, while whatever keeps it can be reached.
    fn number(&self, counted: Result<i64, Error>) -> i64 {
        match counted {
            Ok(number) => number,
            Err(error) => violated(self.part, format_args!("a counter fails: {error}")),
        }
    }

    async fn expect(&self, cache: &impl Cache, (key, by): (&str, i64), sum: i64) {
        let counted = self.number(cache.increment(key, by, None).await);
        self.require(counted == sum, format_args!("{by} more make {counted}, and not {sum}"));
        let read = self.number(cache.counter(key).await);
        self.require(read == sum, format_args!("a counter at {sum} reads {read}"));
    }
}

pub(super) async fn a_counter_counts(trial: &Trial) {
    let (cache, key) = (&trial.cache, trial.key("counter"));
    trial.expect(cache, (&key, 0), 0).await;
    trial.expect(cache, (&key, 5), 5).await;
    trial.expect(&cache.share(), (&key, -7), -2).await;
    trial.expect(&cache.namespace(&trial.own), ("counter", 2), 0).await;
    trial.expect(cache, (&key, i64::MAX), i64::MAX).await;
    let over = cache.increment(&key, 1, None).await;
    let refused = over.as_ref().is_err_and(Error::is_counter_overflow);
    trial.require(refused, format_args!("one more than the most gives {over:?}"));
    trial.expect(cache, (&key, 0), i64::MAX).await;

    trial.keep(&key, &1_u32, &LONG).await;
    cache.invalidate([Scope::prefix(&trial.own), Scope::all()]).await;
    trial.expect(cache, (&key, 0), i64::MAX).await;
    cache.invalidate(&key).await;
    let gone = async || trial.number(cache.counter(&key).await) == 0;
    trial.eventually(gone, "invalidating its key does not delete a counter").await;
}

pub(super) async fn a_counter_ends(trial: &Trial) {
    const WINDOW: Duration = Duration::from_secs(1);
    let (cache, key) = (&trial.cache, trial.key("window"));
    trial.number(cache.increment(&key, 5, WINDOW).await);
    let over = async || {
        // The calls in between must not prolong it.
        let counted = trial.number(cache.increment(&key, 1, WINDOW * 1_000).await);
        counted < 5
    };
    trial.eventually(over, "a counter outlives its window").await;
}

pub(super) async fn no_call_is_lost(trial: &Trial) {
    let (cache, key): (Arc<dyn Cache>, _) = (trial.cache.share(), trial.key("busy"));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move {
                for _ in 0..100 {
                    cache.increment(&key, 1, None).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        trial.require(matches!(task.await, Ok(Ok(()))), "a counter fails");
    }
    trial.expect(&trial.cache, (&key, 0), 800).await;
}
