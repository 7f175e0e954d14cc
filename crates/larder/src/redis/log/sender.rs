//! The log's sender: appends what waits in the outbox, one parcel at a time.

use std::{convert::Infallible, sync::Arc, time::Duration};

use ::redis::{Pipeline, Value, pipe};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

use super::{
    connect::{Link, Purpose, Trouble},
    pace::Backoff,
    record::{Content, FIELD},
    reply,
    shared::{Shared, Starts},
};
use crate::{
    epoch::{Epoch, Parcel},
    mutant,
    scope::ScopeHash,
};

/// How many records the log keeps, about.
pub(super) const MOST_RECORDS: usize = 100_000;

/// How many wakes go out together.
const MOST_WAKES: usize = 64;

/// How long the sender waits for a new start on the server that it found.
const START: Duration = Duration::from_secs(1);

/// Whoever waits for this key should look again; whether there is a value now.
pub(super) type Wake = (ScopeHash, bool);

pub(super) struct Sender {
    shared: Arc<Shared>,
    starts: watch::Receiver<Starts>,
    wakes: mpsc::Receiver<Wake>,
    link: Option<Link>,
    backoff: Backoff,
    /// What is being appended. It stays here if the attempt is broken off.
    under_way: Option<Parcel>,
    /// The last ID that the server named.
    named: Epoch,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>, wakes: mpsc::Receiver<Wake>) -> Self {
        let starts = shared.starts.subscribe();
        let backoff = Backoff::new();
        Self { shared, starts, wakes, link: None, backoff, under_way: None, named: Epoch::ZERO }
    }

    pub(super) async fn run(&mut self) -> Infallible {
        loop {
            let Err(trouble) = self.serve().await;
            tracing::debug!(log = self.shared.key, %trouble, "cannot append to the invalidation log");
            self.give_up();
            self.backoff.wait().await;
        }
    }

    /// Sends what still waits, if the server lets us.
    pub(super) async fn finish(&mut self, limit: Duration) {
        self.return_parcel();
        if self.shared.log().outbox().len() == 0 {
            return;
        }
        let last = timeout(limit, async {
            self.connect().await?;
            self.send_all(None).await
        });
        if !matches!(last.await, Ok(Ok(()))) {
            tracing::warn!(
                log = self.shared.key,
                scopes = self.shared.log().outbox().len(),
                "the last cache on this log is gone before its invalidations were appended"
            );
        }
    }

    async fn serve(&mut self) -> Result<Infallible, Trouble> {
        self.connect().await?;
        let shared = self.shared.clone();
        let mut wake = None;
        loop {
            self.send_all(wake.take()).await?;
            let nudge = shared.nudge_every();
            tokio::select! {
                () = shared.log().outbox().wait() => {}
                Some(received) = self.wakes.recv() => wake = Some(received),
                // Perhaps on another server than ours.
                _ = self.starts.changed() => {}
                () = sleep(nudge.unwrap_or_default()), if nudge.is_some() => self.nudge().await?,
            }
        }
    }

    /// Has the server look for reads that are over.
    async fn nudge(&mut self) -> Result<(), Trouble> {
        let link = self.link.as_mut().ok_or_else(|| Trouble::new("not connected"))?;
        let mut commands = pipe();
        commands.cmd("PING");
        link.ask(&commands, self.shared.deadline).await.map(drop)
    }

    /// Nothing is appended on a connection to a server that the log is not followed on: after a failover, all that
    /// was known must be in doubt first.
    async fn connect(&mut self) -> Result<(), Trouble> {
        if self.link.is_none() {
            // Before the first start there is nothing to compare with.
            let started = self.starts.wait_for(|starts| starts.replid.is_some()).await;
            drop(started.map_err(|_| Trouble::new("the log is closed"))?);
            self.link = Some(Link::open(&*self.shared.connector, Purpose::Append).await?);
        }
        if self.is_admitted() {
            return Ok(());
        }
        let replid = self.link.as_ref().map(|link| link.facts().replid.clone()).unwrap_or_default();
        self.shared.doubt.notify_one();
        let started = self.starts.wait_for(|starts| starts.replid.as_deref() == Some(&*replid));
        match timeout(START, started).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Trouble::new("connected to another server than the one whose log is followed")),
        }
    }

    fn is_admitted(&self) -> bool {
        self.link.as_ref().is_some_and(|link| self.shared.admits(&link.facts().replid))
    }

    /// Sends until nothing waits.
    async fn send_all(&mut self, mut wake: Option<Wake>) -> Result<(), Trouble> {
        loop {
            if !self.is_admitted() {
                return Err(Trouble::new("the log is followed on another server now"));
            }
            let mut wakes: Vec<_> = wake.take().into_iter().collect();
            while wakes.len() < MOST_WAKES
                && let Ok(wake) = self.wakes.try_recv()
            {
                wakes.push(wake);
            }
            // Nobody waits between the check above and here: what is taken before a new start is appended again by
            // it, and what is taken after it goes to the server on which it was made.
            self.under_way = self.shared.epochs.take();
            if self.under_way.is_none() && wakes.is_empty() {
                return Ok(());
            }
            self.send(&wakes).await?;
            self.backoff.reset();
        }
    }

    /// Appends the parcel that is under way, and these wakes.
    async fn send(&mut self, wakes: &[Wake]) -> Result<(), Trouble> {
        let link = self.link.as_mut().ok_or_else(|| Trouble::new("not connected"))?;
        // Not above a log that was lowered since.
        let named = self.named.min(self.shared.log().longest_leap());
        let id = next_id(named.max(self.shared.log().position()));
        let mut commands = pipe();
        let mut elsewhere = None;
        if let Some(parcel) = &self.under_way {
            let scopes = parcel.scopes.clone();
            let content =
                Content::Invalidation { sender: self.shared.sender, attempt: parcel.attempt, scopes };
            append(&mut commands, &self.shared.key, &id, &content);
            let keys = deleted_keys(&self.shared.prefix, parcel);
            match &self.shared.unlink {
                _ if keys.is_empty() => {}
                Some(unlink) => elsewhere = Some(unlink(keys)),
                None => _ = commands.cmd("UNLINK").arg(keys),
            }
        }
        for &(key, filled) in wakes {
            append(&mut commands, &self.shared.key, "*", &Content::Wake { key, filled });
        }
        let limit = self.shared.deadline;
        // What is deleted elsewhere frees memory, and is no part of the promise.
        let elsewhere = async {
            if let Some(unlink) = elsewhere {
                _ = timeout(limit, unlink).await
            }
        };
        let (replies, ()) = tokio::join!(link.ask(&commands, limit), elsewhere);
        let first = replies?.into_iter().next().unwrap_or_default();
        self.settle(first)
    }

    /// Learns from the reply what became of the parcel under way.
    fn settle(&mut self, reply: Value) -> Result<(), Trouble> {
        let outbox = self.shared.log().outbox();
        match reply::said(reply)? {
            Value::Nil if self.under_way.is_some() => {
                self.shared.doubt.notify_one();
                Err(Trouble::new("the log is gone"))
            }
            id @ Value::BulkString(_) => {
                let epoch = reply::epoch(&id)?;
                if epoch.is_beyond_the_end() {
                    // Appended, and lost again: the reader makes such a log anew.
                    return Err(Trouble::new("the log has an ID that no server gives"));
                }
                let Some(parcel) = self.under_way.take() else { return Ok(()) };
                if mutant::is("own-reply-moves-position") {
                    self.shared.log().move_to(epoch);
                }
                self.named = epoch;
                outbox.named(parcel.attempt, epoch);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn return_parcel(&mut self) {
        if let Some(parcel) = self.under_way.take() {
            self.shared.log().outbox().failed(parcel);
        }
    }

    fn give_up(&mut self) {
        self.return_parcel();
        self.link = None;
        // What is nobody's news any more when the link is back.
        while self.wakes.try_recv().is_ok() {}
    }
}

fn append(commands: &mut Pipeline, key: &str, id: &str, content: &Content) {
    commands.cmd("XADD").arg(key).arg("NOMKSTREAM").arg("MAXLEN").arg("~").arg(MOST_RECORDS).arg(id);
    commands.arg(FIELD).arg(content.encode());
}

/// The server's own ID, unless its sequence is about to leave what an epoch can hold: then the first one of the next
/// millisecond.
fn next_id(last: Epoch) -> String {
    last.next_millisecond_near_end().map_or_else(|| "*".to_owned(), |id| id.to_string())
}

/// The keys of the entries that are invalid now, and of the counters of that name.
fn deleted_keys(prefix: &str, parcel: &Parcel) -> Vec<String> {
    parcel.keys.iter().flat_map(|key| [format!("{prefix}:e:{key}"), format!("{prefix}:c:{key}")]).collect()
}
