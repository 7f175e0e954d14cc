//! `larder bench`: how fast these servers are for larder, as a cache sees them.

use std::{
    process,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use larder::{CacheExt, Policy, RedisCache, RedisCacheBuilder, internal::inspect::Inspector};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    cli::{Bench, Target},
    failure::{Answer, Failure},
    histogram::Histogram,
    output::{Output, note},
    scan::PAGE,
    table::{Align, aligned},
    units,
};

/// How many keys are read and written.
const KEYS: usize = 1_000;

/// What is left behind if this process is killed is gone after so long.
const LIFETIME: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Insert,
    Hit,
    Miss,
    Invalidate,
}

impl Part {
    const ALL: [Self; 4] = [Self::Insert, Self::Hit, Self::Miss, Self::Invalidate];

    fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Invalidate => "invalidate",
        }
    }
}

pub(crate) async fn run(target: &Target, bench: &Bench, output: &mut Output) -> Result<Answer, Failure> {
    let prefix = {
        let inspector = target.connect().await?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        // Under the prefix, since the user may have no right to other keys.
        format!("{}:bench-{:x}", inspector.prefix(), since ^ u64::from(process::id()))
    };
    let builder = target.builder()?.prefix(prefix);
    let inspector = Inspector::connect(builder.clone()).await?;
    let measured = tokio::select! {
        measured = measure(&builder, &inspector, bench, output.json) => Some(measured),
        _ = tokio::signal::ctrl_c() => None,
    };
    clean_up(&inspector).await?;
    let Some(measured) = measured else {
        return Err(Failure::unfinished("it was broken off; what it had written is deleted", "run it again"));
    };
    report(bench, &measured?, output)?;
    Ok(Answer::Yes)
}

async fn measure(
    builder: &RedisCacheBuilder,
    inspector: &Inspector,
    bench: &Bench,
    json: bool,
) -> Result<Vec<(Part, Histogram, Duration)>, Failure> {
    let cache = builder.clone().connect().await?;
    inspector.expire_log(LIFETIME).await?;
    let value: Arc<str> = text(bench.size as usize).into();
    let length = Duration::from_secs_f64(bench.seconds);
    let mut measured = Vec::new();
    for part in Part::ALL {
        note(json, &format!("measuring {}, {} s", part.name(), bench.seconds));
        if part == Part::Hit {
            fill(&cache, &value).await?;
        }
        let began = Instant::now();
        let mut callers = JoinSet::new();
        for caller in 0..usize::from(bench.concurrency) {
            callers.spawn(call(cache.clone(), part, value.clone(), caller, began + length));
        }
        let mut all = Histogram::new();
        while let Some(caller) = callers.join_next().await {
            let caller = caller.map_err(|error| Failure::unfinished(error.to_string(), "run it again"))?;
            all.merge(&caller?);
        }
        measured.push((part, all, began.elapsed()));
    }
    Ok(measured)
}

/// All that is hit is there.
async fn fill(cache: &RedisCache, value: &str) -> Result<(), Failure> {
    let policy = Policy::ttl(LIFETIME);
    for number in 0..KEYS {
        cache.insert(&key(number), &value.to_owned(), policy.clone()).await?;
    }
    Ok(())
}

fn key(number: usize) -> String {
    format!("key:{}", number % KEYS)
}

/// One caller, call after call.
async fn call(
    cache: RedisCache,
    part: Part,
    value: Arc<str>,
    caller: usize,
    end: Instant,
) -> Result<Histogram, larder::Error> {
    let mut histogram = Histogram::new();
    let policy = Policy::ttl(LIFETIME);
    let value = value.to_string();
    let mut number = caller * 7_919;
    loop {
        let began = Instant::now();
        if began >= end {
            return Ok(histogram);
        }
        let key = key(number);
        match part {
            Part::Insert => cache.insert(&key, &value, policy.clone()).await?,
            Part::Hit => drop(cache.get::<String>(&key).await?),
            Part::Miss => drop(cache.get::<String>(&format!("absent:{number}")).await?),
            Part::Invalidate => drop(cache.invalidate(key.as_str()).await),
        }
        histogram.add(began.elapsed());
        number += 1;
    }
}

/// Text that no compression makes much smaller.
fn text(length: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + (state >> 58) as u8)
    };
    (0..length).map(|_| next()).collect()
}

/// Deletes all under the prefix, until nothing is there any more: the thread of the log may append once more.
async fn clean_up(inspector: &Inspector) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(5);
    let pattern = inspector.pattern(None);
    let mut quiet = 0;
    while quiet < 3 {
        let mut deleted = 0;
        for master in inspector.masters() {
            let mut cursor = 0;
            loop {
                let page = inspector.scan(&master, cursor, Some(&pattern), PAGE).await?;
                deleted += inspector.delete(&page.names).await?;
                cursor = page.cursor;
                if cursor == 0 {
                    break;
                }
            }
        }
        quiet = if deleted == 0 { quiet + 1 } else { 0 };
        if Instant::now() > end {
            let text = format!("keys under {} are left", inspector.prefix());
            return Err(Failure::unfinished(text, "they end by themselves within ten minutes"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn report(
    bench: &Bench,
    measured: &[(Part, Histogram, Duration)],
    output: &mut Output,
) -> Result<(), Failure> {
    let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let per_second =
        |histogram: &Histogram, took: Duration| (histogram.count() as f64 / took.as_secs_f64()) as u64;
    if output.json {
        for (part, histogram, took) in measured {
            output.json(&json!({
                "part": part.name(),
                "calls": histogram.count(),
                "per_second": per_second(histogram, *took),
                "p50_us": micros(histogram.percentile(0.5)),
                "p90_us": micros(histogram.percentile(0.9)),
                "p99_us": micros(histogram.percentile(0.99)),
                "max_us": micros(histogram.longest()),
                "concurrency": bench.concurrency,
                "size": bench.size,
            }))?;
        }
        return Ok(());
    }
    let mut rows = vec![["", "CALLS/S", "P50", "P90", "P99", "MAX"].map(str::to_owned).to_vec()];
    for (part, histogram, took) in measured {
        let time = |duration: Duration| format!("{:.3} ms", duration.as_secs_f64() * 1_000.0);
        rows.push(vec![
            part.name().to_owned(),
            units::count(per_second(histogram, *took)),
            time(histogram.percentile(0.5)),
            time(histogram.percentile(0.9)),
            time(histogram.percentile(0.99)),
            time(histogram.longest()),
        ]);
    }
    use Align::{Left, Right};
    output.text(&aligned(&[Left, Right, Right, Right, Right, Right], &rows))?;
    let Bench { concurrency, size, .. } = bench;
    output
        .line(format!("{concurrency} calls at once, values of {size} bytes; all that was written is deleted"))
}
