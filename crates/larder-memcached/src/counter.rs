//! Counters: numbers that all processes count with.
//!
//! An item holds the sum and the time at which it ends, in milliseconds since 1970, or zero. Memcached's own `incr` knows
//! neither a sign nor an overflow.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{
    client::{Connection, Failure, Item, Storing},
    store::{Store, ask, get_one},
};

/// What came of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Sum(i64),
    /// The sum would be no `i64`; the counter is as it was.
    Overflow,
}

/// A counter as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stored {
    sum: i64,
    ends: u64,
}

impl Store {
    /// Adds to a counter. One that this makes ends after `ttl`.
    pub(crate) async fn count_by(
        &self,
        key: &str,
        by: i64,
        ttl: Option<Duration>,
    ) -> Result<Counted, Failure> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Failure::unreachable("there is no runtime of tokio"));
        }
        let name = self.names.counter(key);
        let node = self.node_of(&name);
        let _permit = node.permit().await?;
        let end = Instant::now() + self.deadline;
        loop {
            let attempt = async {
                let mut connection = node.connection(self.deadline).await?;
                let counted = try_count(&mut connection, &name, by, ttl).await?;
                connection.give_back();
                Ok(counted)
            };
            // Another one may be faster each time; of all, one gets on. That is no failure of the node's.
            match ask(node, attempt).await? {
                Some(counted) => return Ok(counted),
                None if Instant::now() >= end => return Err(Failure::TimedOut),
                None => {}
            }
        }
    }
}

async fn try_count(
    connection: &mut Connection,
    name: &str,
    by: i64,
    ttl: Option<Duration>,
) -> std::io::Result<Option<Counted>> {
    let now = now();
    let item = get_one(connection, name).await?;
    let found = item.as_ref().and_then(Stored::of);
    let is_over = |stored: &Stored| stored.ends != 0 && stored.ends <= now;
    let before = found.filter(|stored| !is_over(stored));
    let Some(sum) = before.unwrap_or_default().sum.checked_add(by) else {
        return Ok(Some(Counted::Overflow));
    };
    if by == 0 && before.is_some() {
        return Ok(Some(Counted::Sum(sum)));
    }
    let ends = || ttl.map_or(0, |ttl| now.saturating_add(milliseconds(ttl)).max(1));
    let after = Stored { sum, ends: before.map_or_else(ends, |before| before.ends) };
    if by == 0 {
        return Ok(Some(Counted::Sum(0)));
    }
    let text = format!("{} {}", after.sum, after.ends);
    let storing = Storing { name, flags: 0, expires: expires(after.ends, now), data: text.as_bytes() };
    let stored = match &item {
        Some(item) if item.cas != 0 => connection.compare_and_set(&[(storing, item.cas)]).await? == [true],
        Some(_) => return Err(std::io::Error::other("memcached runs without `cas` (option -C)")),
        None => connection.add(&storing).await?,
    };
    Ok(stored.then_some(Counted::Sum(sum)))
}

impl Stored {
    /// What is no counter counts from zero.
    fn of(item: &Item) -> Option<Self> {
        let (sum, ends) = std::str::from_utf8(&item.data).ok()?.split_once(' ')?;
        Some(Self { sum: sum.parse().ok()?, ends: ends.parse().ok()? })
    }
}

/// In seconds for memcached, which would take more than 30 days for a date.
fn expires(ends: u64, now: u64) -> u32 {
    const LONGEST: u64 = 30 * 86_400;
    match ends {
        0 => 0,
        ends => u32::try_from((ends.saturating_sub(now) / 1_000 + 2).min(LONGEST)).expect("30 days fit"),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
