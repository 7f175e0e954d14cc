//! Cached computations that need themselves or each other: they end, and no caller hangs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use larder::{Cache, CacheExt, MemoryCache, in_current_computation};
use tokio::sync::Barrier;

use self::support::{in_time, long};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a computation asks for what it needs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Plain,
    Shared,
    Background,
    Many,
    Task,
    Joined,
}

const FORMS: [Form; 6] = [Form::Plain, Form::Shared, Form::Background, Form::Many, Form::Task, Form::Joined];

/// Asks for `path[0]`, whose computation asks for `path[1]`, and so on. Gives the length of the path.
fn follow(caches: Arc<[MemoryCache]>, form: Form, path: &'static [&'static str]) -> Boxed<usize> {
    Box::pin(async move {
        let Some((key, rest)) = path.split_first() else { return 0 };
        let cache = &caches[key.len() % caches.len()];
        let next = {
            let caches = caches.clone();
            move || {
                let caches = caches.clone();
                async move { Ok::<_, Infallible>(1 + follow(caches, form, rest).await) }
            }
        };
        let result = match form {
            Form::Plain => cache.get_or_compute(key, long(), next).await,
            Form::Shared => cache.get_or_compute_shared(key, long(), next).await,
            Form::Background => cache.get_or_compute_background(key, long(), next).await,
            Form::Many => {
                let compute = async |missing: Vec<&'static str>| {
                    let value = next().await?;
                    Ok::<_, Infallible>(missing.into_iter().map(|key| (key, value)).collect())
                };
                let keys = [*key, "companion"];
                let values = cache.get_or_compute_many(keys, |key| (*key).into(), long(), compute).await;
                values.map(|values| values[key])
            }
            Form::Task => {
                let cache = cache.clone();
                let ask = async move { cache.get_or_compute(key, long(), next).await };
                tokio::spawn(in_current_computation(ask)).await.unwrap()
            }
            Form::Joined => {
                let (one, two) = tokio::join!(
                    cache.get_or_compute(key, long(), next.clone()),
                    cache.get_or_compute(key, long(), next)
                );
                one.and(two)
            }
        };
        result.unwrap()
    })
}

fn caches<const N: usize>() -> Arc<[MemoryCache]> {
    Arc::new([(); N].map(|()| MemoryCache::new(100)))
}

const PATHS: [&[&str]; 5] = [
    &["a", "a"],
    &["a", "a", "a", "a"],
    &["a", "bb", "a"],
    &["a", "bb", "a", "bb", "a"],
    &["a", "bb", "ccc", "bb", "a", "ccc", "a"],
];

#[tokio::test]
async fn a_computation_that_comes_back_to_itself_ends() {
    for form in FORMS {
        for path in PATHS {
            in_time(follow(caches::<1>(), form, path)).await;
        }
    }
}

#[tokio::test]
async fn also_through_several_caches() {
    for form in FORMS {
        for path in PATHS {
            in_time(follow(caches::<2>(), form, path)).await;
            in_time(follow(caches::<3>(), form, path)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn also_when_tasks_meet_each_other_on_the_way() {
    for round in 0..50 {
        for form in FORMS {
            let caches = if round % 2 == 0 { caches::<1>() } else { caches::<2>() };
            let tasks: Vec<_> = [
                &["a", "bb", "ccc"][..],
                &["bb", "ccc", "a"],
                &["ccc", "a", "bb"],
                &["a", "bb", "a"],
                &["bb", "a", "bb", "ccc"],
            ]
            .into_iter()
            .map(|path| tokio::spawn(follow(caches.clone(), form, path)))
            .collect();
            for task in tasks {
                in_time(task).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn two_tasks_that_need_each_others_key_both_end() {
    async fn ask(one: impl Cache, other: impl Cache, keys: [&str; 2], both: &Barrier) -> u32 {
        let compute = || async {
            both.wait().await;
            other.get_or_compute(keys[1], long(), async || Ok::<_, Infallible>(1)).await
        };
        one.get_or_compute(keys[0], long(), compute).await.unwrap()
    }
    let (cache, another) = (MemoryCache::new(10), MemoryCache::new(10));
    let both = Barrier::new(2);
    let in_one = async {
        tokio::join!(ask(&cache, &cache, ["a", "b"], &both), ask(&cache, &cache, ["b", "a"], &both))
    };
    assert_eq!(in_time(in_one).await, (1, 1));
    let across = async {
        tokio::join!(ask(&cache, &another, ["c", "d"], &both), ask(&another, &cache, ["d", "c"], &both))
    };
    assert_eq!(in_time(across).await, (1, 1));
}

#[tokio::test]
async fn batches_that_need_each_others_keys_both_end() {
    async fn ask(cache: &MemoryCache, own: [&str; 2], needs: [&str; 2], both: &Barrier) -> usize {
        let compute = async |missing: Vec<String>| {
            both.wait().await;
            let inner = async |missing: Vec<String>| {
                Ok::<_, Infallible>(missing.into_iter().map(|key| (key, 1)).collect())
            };
            let needs = needs.map(String::from);
            let found = cache.get_or_compute_many(needs, String::clone, long(), inner).await?;
            Ok::<_, Infallible>(missing.into_iter().map(|key| (key, found.len())).collect())
        };
        cache.get_or_compute_many(own.map(String::from), String::clone, long(), compute).await.unwrap().len()
    }
    let cache = MemoryCache::new(10);
    let both = Barrier::new(2);
    let asked = async {
        tokio::join!(ask(&cache, ["a", "b"], ["c", "d"], &both), ask(&cache, ["c", "d"], ["b", "a"], &both))
    };
    assert_eq!(in_time(asked).await, (2, 2));
}
