//! Calls for many items, some at a time, before the first request for them.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use crate::{
    outcome::{NotStored, Outcome, Source, Tier},
    panic_guard,
};

/// How many calls end in one poll at most: hits wait for nothing, and a task that never waits keeps others from running.
const AT_ONCE: usize = 64;

/// Calls a cached function for many items, `concurrency` of them at a time, and counts what became of the calls.
///
/// `call` is the function's `with_outcome`, or any other future that gives an output and an
/// [`Outcome`](crate::Outcome). What is fresh is not computed again: in memory it costs a hit, and what another process
/// stored is fetched. With the function's `refresh`, which gives a `Result`, every item is computed anew.
///
/// Each call is one as any other: its value is valid by [the one rule](crate::guide::one_rule), callers who ask meanwhile join
/// it, and another process that computes the same key is waited for. Errors are collected, and end nothing; so do panics,
/// which are counted.
///
/// Items are taken as there is room for them, so that an iterator need not hold them all, and one that counts shows the
/// progress. The calls run in the caller, which awaits this future. Dropping it drops the calls under way; what was stored
/// stays.
///
/// ```
/// use larder::{cached, warm};
///
/// # struct Db;
/// # impl Db { async fn name(&self, id: u64) -> Result<String, String> { Ok(format!("user {id}")) } }
/// #[cached(ttl = "1h", key = "user:<id>", skip(db))]
/// async fn user(db: &Db, id: u64) -> Result<String, String> {
///     db.name(id).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let db = Db;
/// let warmed = warm(1..=1_000, 16, |id| user::with_outcome(&db, id)).await;
/// assert_eq!((warmed.computed, warmed.failed.len()), (1_000, 0));
/// for (position, error) in warmed.errors() {
///     println!("item {position}: {error}"); // the first caller who asks for it computes it
/// }
/// # }
/// ```
pub async fn warm<I, F, Fut>(
    items: impl IntoIterator<Item = I>,
    concurrency: usize,
    mut call: F,
) -> Warmed<<Fut::Output as WarmOutput>::Failed>
where
    F: FnMut(I) -> Fut,
    Fut: Future<Output: WarmOutput>,
{
    let mut items = items.into_iter().enumerate().fuse();
    let mut calls: Vec<(usize, Pin<Box<Fut>>)> = Vec::new();
    let mut warmed = Warmed::default();
    poll_fn(|context| {
        // All are polled whenever one is woken: the few that run at once take less than to know which one it was.
        let (mut next, mut ended) = (0, 0);
        while ended < AT_ONCE {
            if next == calls.len() {
                let item = (calls.len() < concurrency.max(1)).then(|| items.next()).flatten();
                match item {
                    Some((position, item)) => match panic_guard::contain(|| Box::pin(call(item))) {
                        Some(call) => calls.push((position, call)),
                        None => {
                            warmed.add(position, None::<Fut::Output>);
                            ended += 1;
                            continue;
                        }
                    },
                    None if calls.is_empty() => return Poll::Ready(()),
                    None => return Poll::Pending,
                }
            }
            let (position, call) = &mut calls[next];
            let output = match panic_guard::contain(|| call.as_mut().poll(context)) {
                Some(Poll::Pending) => {
                    next += 1;
                    continue;
                }
                Some(Poll::Ready(output)) => Some(output),
                None => None,
            };
            warmed.add(*position, output);
            // In its place comes one that was not polled yet.
            calls.swap_remove(next);
            ended += 1;
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    warmed
}

/// What became of the calls of [`warm`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warmed<O> {
    /// Calls whose value was fresh in the memory of this process.
    pub fresh: u64,
    /// Calls whose value was found on disk or in a store that processes share.
    pub fetched: u64,
    /// Calls that were served an old value, as their policy allows: it is computed anew by now, or that failed.
    pub stale: u64,
    /// Calls whose value was computed, by them or by another call that they waited for. Those included whose value was not
    /// stored.
    pub computed: u64,
    /// Those of the [`computed`](Self::computed) whose value was not stored: see [`NotStored`](crate::NotStored).
    pub not_stored: u64,
    /// Calls whose computation panicked.
    pub panicked: u64,
    /// Calls that failed: the position of the item, and what the call returned. See [`errors`](Self::errors).
    pub failed: Vec<(usize, O)>,
}

impl<O> Default for Warmed<O> {
    fn default() -> Self {
        Self { fresh: 0, fetched: 0, stale: 0, computed: 0, not_stored: 0, panicked: 0, failed: Vec::new() }
    }
}

impl<T, E> Warmed<Result<T, E>> {
    /// The errors, each with the position of its item.
    pub fn errors(&self) -> impl Iterator<Item = (usize, &E)> {
        self.failed.iter().filter_map(|(position, output)| Some((*position, output.as_ref().err()?)))
    }
}

impl<O> Warmed<O> {
    fn add(&mut self, position: usize, output: Option<impl WarmOutput<Failed = O>>) {
        let Some(output) = output else {
            self.panicked += 1;
            return;
        };
        let (output, outcome) = output.parts();
        let has_failed = outcome.why_not_stored == Some(NotStored::Failed);
        if has_failed && outcome.source != Source::Stale {
            self.failed.push((position, output));
            return;
        }
        let count = match (outcome.source, outcome.tier) {
            (Source::Hit, None | Some(Tier::Memory)) => &mut self.fresh,
            (Source::Hit, _) => &mut self.fetched,
            (Source::Stale, _) => &mut self.stale,
            (Source::Computed | Source::Joined, _) => &mut self.computed,
        };
        *count += 1;
        self.not_stored += u64::from(outcome.why_not_stored.is_some());
    }
}

impl<O> fmt::Debug for Warmed<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warmed")
            .field("fresh", &self.fresh)
            .field("fetched", &self.fetched)
            .field("stale", &self.stale)
            .field("computed", &self.computed)
            .field("not_stored", &self.not_stored)
            .field("panicked", &self.panicked)
            .field("failed", &self.failed.len())
            .finish()
    }
}

/// What a call for [`warm`] gives: an output with its [`Outcome`](crate::Outcome), or the `Result` of a `refresh`. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell what became of the call",
    label = "neither `(output, Outcome)` nor a `Result`",
    note = "call the cached function by its companion: `warm(ids, 16, |id| user::with_outcome(&db, id))`"
)]
pub trait WarmOutput: sealed::Sealed {
    /// What is kept of a call that failed.
    type Failed;

    /// What the call returned, and what became of it.
    #[doc(hidden)]
    fn parts(self) -> (Self::Failed, Outcome);
}

impl<O> WarmOutput for (O, Outcome) {
    type Failed = O;

    fn parts(self) -> (O, Outcome) {
        self
    }
}

impl<T, E> WarmOutput for Result<T, E> {
    type Failed = Self;

    fn parts(self) -> (Self, Outcome) {
        let outcome = Outcome::of_refresh(self.is_ok());
        (self, outcome)
    }
}

mod sealed {
    use crate::outcome::Outcome;

    pub trait Sealed {}

    impl<O> Sealed for (O, Outcome) {}

    impl<T, E> Sealed for Result<T, E> {}
}
