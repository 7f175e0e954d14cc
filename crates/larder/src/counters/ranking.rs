//! Rankings: what comes most often.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Added, Top,
    window::{self, Windows, ask, full_key, other_answer},
};
use crate::{
    cache::Cache,
    error::Result,
    key,
    tally::{Tallied, Tally},
};

/// What comes most often: the pages that are read most, the words that are searched for. Bounded, however many there are.
///
/// Kept where [`Counters`](super::Counters) are. Cheap to clone. See [the module](crate::counters#top-n) for how exact it
/// is.
///
/// ```
/// use larder::{MemoryCache, counters::Ranking};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder::Result<()> {
/// let searches = Ranking::new(MemoryCache::new(1), "searches");
/// for word in ["tea", "jam", "tea"] {
///     searches.add(word, 1).await?;
/// }
/// let top = searches.top(10).await?;
/// assert_eq!(top.members, [("tea".to_owned(), 2), ("jam".to_owned(), 1)]);
/// assert_eq!(top.error, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a ranking does nothing until it is added to"]
pub struct Ranking {
    cache: Arc<dyn Cache>,
    name: Arc<str>,
    capacity: usize,
    windows: Option<Windows>,
}

impl Ranking {
    /// The ranking of this name, of up to 1,000 members, where `cache` keeps its entries.
    pub fn new(cache: impl Cache + 'static, name: impl Into<Arc<str>>) -> Self {
        Self { cache: Arc::new(cache), name: name.into(), capacity: 1_000, windows: None }
    }

    /// How many members are kept, 1 to 1,000,000; 1,000 unless this is called. Ten times as many as are asked for make most
    /// rankings exact where it matters. All processes have to name the same number.
    pub fn capacity(mut self, members: usize) -> Self {
        self.capacity = members.clamp(1, 1_000_000);
        self
    }

    /// Ranks anew in each window of this length, as [`Counters::per`](super::Counters::per) says.
    pub fn per(mut self, length: Duration) -> Self {
        self.windows = Some(Windows { kept: 2, ..Windows::new(length) });
        self
    }

    /// Adds to a member, in the window that is now. See [`Counters::add`](super::Counters::add) for what becomes of it while
    /// the server is away.
    ///
    /// # Errors
    ///
    /// If the member or the ranking's name is empty or too long, or if the cache seals what is in Redis: members lie
    /// there as they are.
    pub async fn add(&self, member: &str, by: u64) -> Result<Added> {
        key::check(member)?;
        let name = self.key(0)?;
        let ttl = self.windows.map(|windows| windows.ttl());
        let rank = Tally::Rank { key: &name, member, by, capacity: self.capacity, ttl };
        match ask(&*self.cache, rank).await {
            Ok(_) => Ok(Added::Counted),
            Err(error) if error.is_unavailable() => {
                self.cache.core().count(|counters| &counters.counts_lost);
                Ok(Added::Lost)
            }
            Err(error) => Err(error),
        }
    }

    /// The highest members of the current window, `members` of them at most.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add), and if the server cannot be asked ([`is_unavailable`](crate::Error::is_unavailable)).
    pub async fn top(&self, members: usize) -> Result<Top> {
        self.top_of(0, members).await
    }

    /// The highest members of the window before the current one, which is over: of the whole last minute, or day. Without
    /// windows there are none.
    ///
    /// # Errors
    ///
    /// Those of [`top`](Self::top).
    pub async fn top_before(&self, members: usize) -> Result<Top> {
        match self.windows {
            Some(_) => self.top_of(1, members).await,
            None => Ok(Top::default()),
        }
    }

    async fn top_of(&self, ago: u32, members: usize) -> Result<Top> {
        let key = self.key(ago)?;
        match ask(&*self.cache, Tally::Top { key: &key, members, capacity: self.capacity }).await? {
            Tallied::Top(top) => Ok(top),
            _ => Err(other_answer()),
        }
    }

    fn key(&self, ago: u32) -> Result<String> {
        let name = full_key(&*self.cache, &self.name)?;
        let window = self.windows.map(|windows| windows.suffix(windows.number(&*self.cache, ago)));
        Ok(window::name(&name, window))
    }
}

impl fmt::Debug for Ranking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ranking")
            .field("name", &self.name)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
