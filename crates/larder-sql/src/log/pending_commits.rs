//! Transactions that may be committed soon.

#![cfg_attr(
    all(not(feature = "postgres"), not(test)),
    expect(dead_code, reason = "a file tells of each commit")
)]

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// When the log is worth a look, because of transactions of this process that have an invalidation in them.
///
/// A transaction does not notify: in PostgreSQL its commit would take a lock then that all databases of a server share. Its
/// process looks instead, often at first and less often as time goes on, and so finds the commit after about as long again
/// as it took to come.
#[derive(Debug, Default)]
pub(crate) struct PendingCommits {
    last: Mutex<Option<Instant>>,
    begun: Notify,
}

impl PendingCommits {
    const SHORTEST: Duration = Duration::from_millis(10);
    /// After this the log is read often enough anyway.
    const LONGEST: Duration = Duration::from_secs(1);

    /// A transaction has an invalidation in it.
    pub(crate) fn begin(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.begun.notify_one();
    }

    fn next(&self) -> Option<Instant> {
        let last = (*self.last.lock().unwrap_or_else(PoisonError::into_inner))?;
        let age = last.elapsed();
        (age < Self::LONGEST).then(|| Instant::now() + age.max(Self::SHORTEST))
    }

    /// Returns when a look is worth it. May be dropped at any time.
    pub(crate) async fn look(&self) {
        let mut next = self.next();
        loop {
            let due = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => return,
                // Those that go on and on do not put it off.
                () = self.begun.notified() => {
                    let soon = Instant::now() + Self::SHORTEST;
                    next = Some(next.map_or(soon, |next| next.min(soon)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks there are within some time.
    async fn looks(pending_commits: &PendingCommits, time: Duration) -> u32 {
        let (mut looks, end) = (0, Instant::now() + time);
        while tokio::time::timeout_at(end, pending_commits.look()).await.is_ok() {
            looks += 1;
        }
        looks
    }

    #[tokio::test]
    async fn looks_are_frequent_at_first_and_then_end() {
        let pending_commits = PendingCommits::default();
        assert_eq!(looks(&pending_commits, Duration::from_millis(100)).await, 0, "nothing is expected");
        pending_commits.begin();
        let found = looks(&pending_commits, Duration::from_millis(2_500)).await;
        assert!((1..=9).contains(&found), "{found}");
        assert_eq!(
            looks(&pending_commits, Duration::from_millis(100)).await,
            0,
            "it was read often enough since"
        );
    }

    #[tokio::test]
    async fn a_stream_of_transactions_puts_no_look_off() {
        let pending_commits = PendingCommits::default();
        let begin = async {
            loop {
                pending_commits.begin();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            () = begin => {}
            () = pending_commits.look() => {}
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("there is no look"),
        }
    }
}
