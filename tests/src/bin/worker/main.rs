//! A process that shares a cache with others, and does what it is told on its standard input.
//!
//! `worker URL LEASE_MS DEADLINE_MS` connects and says `ready`; `worker environment` says what `from_env` comes to.
//!
//! | order | what it does | what it says |
//! | --- | --- | --- |
//! | `compute KEY TASKS MS ok\|fail\|hang process\|deployment` | so many tasks ask for a key, whose computation takes so long | `computing` for each, then `done OK ERRORS MS` |
//! | `nest KEY INNER` | computes a key from another one, half a second after it began | `computing`, then `done 1 0 MS` |
//! | `invalidate KEY` | invalidates | `invalidated` |
//! | `take NAME TTL_MS` | takes a lock and keeps it | `took NUMBER` |
//! | `limit KEY TASKS MS` | asks three rate limits of 50 a second for a key, with so many tasks each and without a pause, for so long | for each `limited NAME ALLOWED REFUSED LONGEST_MS`, then `done` |
//! | `limits` | waits until a server decides about rate limits | `limits` |
//! | `count NAME TIMES` | adds to what is in Redis under a name, by reading and writing, under a lock | `took NUMBER` for each, then `done` |

#![expect(clippy::print_stdout, reason = "what it says is what it is for")]

mod limits;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larder::{CacheExt, Lock, LockGuard, MemoryCache, Policy, RedisCache, TieredCache};
use tokio::{runtime::Handle, sync::mpsc};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [url, lease, deadline] = &words[..] else {
        println!("ready");
        match larder::from_env().await {
            Ok(cache) => {
                println!("made {}", if larder::CacheExt::link(&cache).is_some() { "shared" } else { "alone" })
            }
            Err(error) => println!("refused {error} / {error:?}"),
        }
        return Ok(());
    };
    let redis = RedisCache::builder()
        .url(url)
        .lease_lifetime(Duration::from_millis(lease.parse()?))
        .deadline(Duration::from_millis(deadline.parse()?))
        .connect()
        .await?;
    let cache = TieredCache::new(MemoryCache::new(10_000), redis);
    let (sender, mut orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    println!("ready");
    let mut locks = Vec::new();
    while let Some(order) = orders.recv().await {
        let words: Vec<_> = order.split(' ').collect();
        match words[..] {
            ["compute", key, tasks, time, outcome, reach] => {
                let time = Duration::from_millis(time.parse()?);
                compute(&cache, key, tasks.parse()?, (time, outcome, reach)).await;
            }
            ["nest", key, inner] => nest(&cache, key, inner).await,
            ["invalidate", key] => {
                cache.invalidate(key).await;
                println!("invalidated");
            }
            ["take", name, ttl] => locks.push(take(&cache, name, ttl.parse()?).await?),
            ["limit", key, tasks, time] => limits::ask(&cache, key, tasks.parse()?, time.parse()?).await,
            ["limits"] => limits::wait(&cache).await,
            ["count", name, times] => count(&cache, url, name, times.parse()?).await?,
            _ => return Err(format!("{order:?} is no order").into()),
        }
    }
    Ok(())
}

async fn compute(cache: &TieredCache, key: &str, tasks: usize, how: (Duration, &str, &str)) {
    let (time, outcome, reach) = (how.0, how.1.to_owned(), how.2);
    let lock = if reach == "process" { Lock::Process } else { Lock::Deployment };
    let policy = Policy::builder().ttl(Duration::from_secs(600)).lock(lock).build();
    let policy = policy.expect("a `ttl` is all it takes");
    let begun = Instant::now();
    let (ok, errors) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..tasks)
        .map(|_| {
            let (cache, key, policy, outcome) =
                (cache.clone(), key.to_owned(), policy.clone(), outcome.clone());
            let (ok, errors) = (ok.clone(), errors.clone());
            Handle::current().spawn(async move {
                let computed = cache.get_or_compute_shared(&key, &policy, async || {
                    println!("computing");
                    tokio::time::sleep(time).await;
                    match &*outcome {
                        "hang" => std::future::pending().await,
                        "fail" => Err("it is meant to fail".to_owned()),
                        _ => Ok(7_u64),
                    }
                });
                let counter = if computed.await.is_ok() { ok } else { errors };
                counter.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no caller panics");
    }
    let (ok, errors) = (ok.load(Ordering::Relaxed), errors.load(Ordering::Relaxed));
    println!("done {ok} {errors} {}", begun.elapsed().as_millis());
}

async fn nest(cache: &TieredCache, key: &str, inner: &str) {
    let policy = Policy::ttl(Duration::from_secs(600));
    let begun = Instant::now();
    let computed = cache.get_or_compute(key, &policy, async || {
        println!("computing");
        tokio::time::sleep(Duration::from_millis(500)).await;
        cache.get_or_compute(inner, &policy, async || Ok::<_, String>(1_u64)).await.map(|inner| inner + 1)
    });
    let computed = computed.await.is_ok();
    println!("done {} {} {}", u8::from(computed), u8::from(!computed), begun.elapsed().as_millis());
}

async fn take(cache: &TieredCache, name: &str, ttl: u64) -> Result<LockGuard, Failure> {
    let guard = cache.lock(name, Duration::from_millis(ttl)).await?;
    println!("took {}", guard.fencing_token());
    Ok(guard)
}

/// Loses what another process adds at the same time, unless the lock keeps that out.
async fn count(cache: &TieredCache, url: &str, name: &str, times: u32) -> Result<(), Failure> {
    let mut redis = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    for _ in 0..times {
        let guard = cache.lock(name, Duration::from_secs(20)).await?;
        let sum: Option<u64> = redis::cmd("GET").arg(name).query_async(&mut redis).await?;
        tokio::task::yield_now().await;
        redis::cmd("SET").arg(name).arg(sum.unwrap_or(0) + 1).query_async::<()>(&mut redis).await?;
        println!("took {}", guard.fencing_token());
        if !guard.release().await? {
            return Err("the lock was lost".into());
        }
    }
    println!("done");
    Ok(())
}
