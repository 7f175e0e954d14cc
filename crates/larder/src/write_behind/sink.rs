//! Where writes go: what the user provides.

use std::{error::Error as StdError, fmt, future::Future};

use async_trait::async_trait;

use super::write::Batch;

/// Writes batches to the database.
///
/// Implemented for closures that take a [`Batch`] and return a future, and for types of your own (by `async_trait`).
///
/// A batch has one write a key, or, with [`keep_all`](crate::write_behind::WriteBehindBuilder::keep_all), several of
/// one key in their order. A write may come **more than once**: after a crash, after a failure of the batch that it was in, and
/// when the sink's deadline ran out while the database went on. So write what can be written twice (an upsert; one that
/// looks at [`Write::id`](crate::write_behind::Write::id) where going back for a moment matters), and a batch in one transaction.
///
/// It may fail, panic, or hang: it runs in a task of its own, which is aborted after the
/// [`deadline`](crate::write_behind::WriteBehindBuilder::deadline). A task ends where it awaits: one that blocks its thread runs
/// on, and nothing else is given to the sink until it has ended, since what it writes late would stand above what is later.
#[async_trait]
pub trait Sink<T>: Send + Sync + 'static {
    /// Writes a batch. `Ok` says that all of it is written and safe: it is not kept any longer.
    ///
    /// # Errors
    ///
    /// If something is not written: see [`SinkError`].
    async fn write(&self, batch: Batch<T>) -> Result<(), SinkError>;
}

#[async_trait]
impl<T, F, R> Sink<T> for F
where
    T: Send + Sync + 'static,
    F: Fn(Batch<T>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), SinkError>> + Send,
{
    async fn write(&self, batch: Batch<T>) -> Result<(), SinkError> {
        self(batch).await
    }
}

/// What was not written.
///
/// Any error becomes one by `?`, `anyhow::Error` too: then all of the batch counts as not written, and is tried again. Smaller and smaller
/// parts of it are, so that one write that the database does not take is found, and set aside as a dead letter without
/// the others. While no write succeeds at all, nothing is given up: the database is away, and the queue waits for it.
#[derive(Debug)]
pub struct SinkError(pub(super) Failed);

#[derive(Debug)]
pub(super) enum Failed {
    /// All of it.
    Batch(String),
    /// These, by their place in the batch; the others are written.
    Items(Vec<FailedItem>),
}

/// One write of a batch that was not written.
#[derive(Debug, Clone)]
pub(super) struct FailedItem {
    pub(super) index: usize,
    pub(super) reason: String,
    /// To be given up at once.
    pub(super) rejected: bool,
}

impl SinkError {
    /// Nothing of the batch was written, for this reason.
    #[must_use]
    pub fn batch(reason: impl fmt::Display) -> Self {
        Self(Failed::Batch(reason.to_string()))
    }

    /// All of the batch was written but what is named with [`failed`](Self::failed) and [`rejected`](Self::rejected).
    #[must_use]
    pub fn items() -> Self {
        Self(Failed::Items(Vec::new()))
    }

    /// The write at this place of the batch was not written, and is tried again: later writes of its key wait for it, up to as many attempts as are
    /// configured. No effect on an error that is about the whole batch.
    #[must_use]
    pub fn failed(self, index: usize, reason: impl fmt::Display) -> Self {
        self.and(FailedItem { index, reason: reason.to_string(), rejected: false })
    }

    /// The write at this place of the batch will never be written: it becomes a dead letter now. No effect on an error
    /// that is about the whole batch.
    #[must_use]
    pub fn rejected(self, index: usize, reason: impl fmt::Display) -> Self {
        self.and(FailedItem { index, reason: reason.to_string(), rejected: true })
    }

    fn and(mut self, item: FailedItem) -> Self {
        if let Failed::Items(items) = &mut self.0 {
            items.push(item);
        }
        self
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for SinkError {
    /// Of an error, of what holds one (`anyhow::Error`, a boxed error), or of a text. With the texts of its sources, which
    /// say what the database said.
    fn from(error: E) -> Self {
        const MOST: usize = 16;
        let error = error.into();
        let mut text = error.to_string();
        let mut source = error.source();
        for _ in 0..MOST {
            let Some(cause) = source else { break };
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::batch(text)
    }
}
