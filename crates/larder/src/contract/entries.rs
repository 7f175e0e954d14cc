//! What was stored comes back as it was, or not at all.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use super::trial::{LONG, SOON, Trial};
use crate::{Cache, CacheExt, Policy, Scope};

pub(super) async fn one_cache_has_one_core(trial: &Trial) {
    let cache = &trial.cache;
    let (shared, namespace) = (cache.share(), cache.namespace("part"));
    let same = [cache.core(), shared.core(), shared.share().core(), namespace.core()]
        .iter()
        .all(|core| core.same_cache(cache.core()));
    trial.require(same, "`core` is not the same for all handles (clause 1)");
    trial.require(shared.prefix() == cache.prefix(), "`share` changes the prefix (clause 1)");

    let key = trial.key("shared");
    trial.keep(&key, &1_u32, &LONG).await;
    let found = trial.get::<u32>(&shared, &key).await;
    trial.require(found.is_none_or(|found| found == 1), "what is shared is another cache (clause 1)");
}

pub(super) async fn values_come_back_as_they_were(trial: &Trial) {
    const KEYS: usize = 5_000;
    const BATCH: usize = 500;
    let mut keys: Vec<String> = (0..KEYS).map(|n| trial.key(n)).collect();
    for odd in ["a", "a:", "a:b", ":", "*", "a:*", "ä", "a\0b", "a\nb", "a b", "%3A", "{a}", "🦀"] {
        keys.push(trial.key(odd));
    }
    keys.push(trial.key("k".repeat(10_000)));
    keys.push(trial.key("k".repeat(10_001)));
    let (many, few) = keys.split_at(KEYS);
    let values: Vec<_> = many.iter().map(|key| (key, key.clone())).collect();
    for values in values.chunks(BATCH) {
        trial.require(
            trial.cache.insert_many(values, &LONG).await.is_ok(),
            "a batch cannot be stored (clause 4)",
        );
    }
    for key in few {
        let stored = trial.cache.insert(key, key, &LONG).await;
        trial.require(stored.is_ok(), format_args!("{key:?} cannot be stored (clause 4)"));
    }
    let mut found_one = false;
    for _ in 0..2 {
        let mut found = Vec::with_capacity(keys.len());
        for keys in many.chunks(BATCH) {
            let values = trial.cache.get_many::<String>(keys).await;
            trial.require(values.is_ok(), "a batch cannot be read (clause 4)");
            found.extend(values.unwrap_or_default());
        }
        for key in few {
            found.push(trial.get::<String>(&trial.cache, key).await);
        }
        for (key, found) in keys.iter().zip(found) {
            found_one |= found.is_some();
            trial.require(
                found.as_ref().is_none_or(|found| found == key),
                format_args!("{key:?} gives the value of {found:?} (clause 2)"),
            );
            if let Some(entry) = trial.cache.storage().peek(trial.cache.core().lookup(key)) {
                let own = entry.key() == [trial.cache.prefix(), key].concat();
                trial.require(own, format_args!("{key:?} gives the entry of {:?} (clause 2)", entry.key()));
            }
        }
    }
    trial.require(found_one, "nothing of all that was stored is found");

    let twice = trial.key("twice");
    let mut is_given_twice = false;
    for _ in 0..20 {
        let stored = trial.cache.insert(&twice, &twice, &LONG).await;
        trial.require(stored.is_ok(), "`insert` fails (clause 4)");
        let found = trial.cache.get_many::<String>(&[&twice, &few[0], &twice]).await.unwrap_or_default();
        is_given_twice |= found.first().is_some_and(|first| first.is_some() && found.last() == Some(first));
    }
    trial.require(is_given_twice, "a key that a batch names twice is found once");

    for length in [0, 1, 1_000, 1_000_000] {
        let bytes: Vec<u8> = (0..length).map(|_| fastrand::u8(..)).collect();
        let key = trial.key(format_args!("of {length} bytes"));
        trial.require(trial.cache.insert(&key, &bytes, &LONG).await.is_ok(), "`insert` fails (clause 4)");
        let found = trial.get::<Vec<u8>>(&trial.cache, &key).await;
        trial.require(
            found.is_none_or(|found| found == bytes),
            format_args!("a value of {length} bytes changed (clause 2)"),
        );
    }
}

pub(super) async fn a_replaced_value_does_not_come_back(trial: &Trial) {
    let key = trial.key("replaced");
    for n in 0..200_u32 {
        trial.keep(&key, &n, &LONG).await;
    }
}

pub(super) async fn another_type_is_a_miss(trial: &Trial) {
    let key = trial.key("number");
    trial.keep(&key, &7_u32, &LONG).await;
    let text = trial.get::<String>(&trial.cache, &key).await;
    trial.require(text.is_none(), format_args!("a number is read as {text:?}"));
    let number = trial.get::<u32>(&trial.cache, &key).await;
    trial.require(number.is_none_or(|number| number == 7), "reading it as another type changed a value");
}

pub(super) async fn an_end_is_an_end(trial: &Trial) {
    const TTL: Duration = Duration::from_secs(1);
    let (cache, key) = (&trial.cache, trial.key("brief"));
    trial.keep(&trial.key("nothing"), &1_u32, &LONG).await;
    trial.require(cache.insert(&trial.key("nothing"), &2_u32, Policy::ttl(Duration::ZERO)).await.is_ok(), "");
    let nothing = trial.get::<u32>(cache, &trial.key("nothing")).await;
    trial.require(nothing.is_none(), "a value with a `ttl` of zero is stored, or replaces nothing");

    trial.keep(&key, &1_u32, &Policy::ttl(TTL)).await;
    let stored = Instant::now();
    let mut last = TTL;
    loop {
        let Ok(remaining) = cache.remaining_ttl(&key).await else {
            super::trial::violated(trial.part, "`remaining_ttl` fails (clause 4)");
        };
        let age = stored.elapsed();
        let Some(remaining) = remaining else { break };
        trial.require(remaining <= last, "the rest of a lifetime grows (clause 2)");
        // Clocks of caches are coarse, and machines pause.
        trial.require(age < TTL * 5, format_args!("a value for {TTL:?} is served after {age:?} (clause 2)"));
        last = remaining;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let found = trial.get::<u32>(cache, &key).await;
    trial.require(found.is_none(), "a value comes back after its end (clause 2)");
}

pub(super) async fn a_dropped_call_leaves_no_harm(trial: &Trial) {
    for polls in 0..6 {
        let key = trial.key(format_args!("dropped after {polls}"));
        trial.keep(&key, &1_u32, &LONG).await;
        poll_and_drop(polls, trial.cache.insert(&key, &2_u32, &LONG));
        let found = trial.get::<u32>(&trial.cache, &key).await;
        // Before its first poll an insert is nothing; then it has replaced what was there.
        let right = found.is_none_or(|found| found == 2 || (polls == 0 && found == 1));
        trial.require(right, format_args!("{found:?} after a dropped insert of 2 (clause 6)"));

        let key = trial.key(format_args!("dropped computation after {polls}"));
        let compute = async || Ok::<_, std::convert::Infallible>(3_u32);
        poll_and_drop(polls, trial.cache.get_or_compute(&key, &LONG, compute));
        let found = trial.get::<u32>(&trial.cache, &key).await;
        trial.require(
            found.is_none_or(|found| found == 3),
            "a dropped call left what was never stored (clause 6)",
        );
        let computed = trial.cache.get_or_compute(&key, &LONG, compute).await;
        trial.require(computed == Ok(3), "a dropped call left what was never stored (clause 6)");
    }
}

fn poll_and_drop(polls: usize, future: impl Future) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            break;
        }
    }
}

/// It cannot leave the process.
#[derive(Clone)]
struct Plain(fn() -> u32);

pub(super) async fn a_value_without_serde_comes_back_and_goes(trial: &Trial) {
    let cache = &trial.cache;
    let (key, tag) = (trial.key("plain"), trial.tag("plain"));
    let policy = Policy { tags: vec![tag.clone()], ..LONG.clone() };
    let scopes = [Scope::key(&*key), Scope::prefix(&*trial.own), Scope::tag(tag), Scope::all()];
    for scope in scopes {
        let start = Instant::now();
        loop {
            let stored = cache.local().insert(&key, &Plain(|| 7), &policy).await;
            trial.require(stored.is_ok(), "`insert` of a local value fails (clause 4)");
            match cache.local().get::<Plain>(&key) {
                Ok(Some(Plain(value))) => {
                    break trial.require(value() == 7, "it is another value (clause 2)");
                }
                found => {
                    trial.require(found.is_ok() && start.elapsed() < SOON, "no local value is ever kept")
                }
            }
        }
        let another = matches!(cache.get::<u32>(&key).await, Ok(Some(_)));
        trial.require(!another, "a local value is read as another type (clause 2)");
        let text = format!("{scope:?}");
        drop(cache.invalidate(scope));
        let found = cache.local().get::<Plain>(&key);
        trial.require(matches!(found, Ok(None)), format_args!("a local value is read after {text}"));
    }
}
