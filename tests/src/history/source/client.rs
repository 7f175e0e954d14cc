//! The side of the workers.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Ask, Phase, REPLY, REQUEST};

type Waiting = oneshot::Sender<u64>;

/// A connection to the source. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Source {
    asks: mpsc::UnboundedSender<([u8; REQUEST], Waiting)>,
    gone: watch::Receiver<()>,
}

impl Source {
    /// Connects.
    ///
    /// # Errors
    ///
    /// If no server listens there.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        let (mut replies, mut requests) = UnixStream::connect(path).await?.into_split();
        let (ask, mut asked) = mpsc::unbounded_channel::<([u8; REQUEST], Waiting)>();
        let waiting = Arc::new(Mutex::new(VecDeque::new()));
        let queue = waiting.clone();
        tokio::spawn(async move {
            while let Some((request, waits)) = asked.recv().await {
                let mut bytes = request.to_vec();
                let mut all = vec![waits];
                // What has come together goes together.
                while let Ok((request, waits)) = asked.try_recv() {
                    bytes.extend(request);
                    all.push(waits);
                }
                queue.lock().unwrap_or_else(PoisonError::into_inner).extend(all);
                if requests.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        });
        let (there, gone) = watch::channel(());
        tokio::spawn(async move {
            let mut reply = [0; REPLY];
            while replies.read_exact(&mut reply).await.is_ok() {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                if let Some(next) = next {
                    // The caller may have been cancelled.
                    let _: Result<(), u64> = next.send(u64::from_le_bytes(reply));
                }
            }
            drop(there);
        });
        Ok(Self { asks: ask, gone })
    }

    /// Returns when the source is there no more: the test is over.
    pub async fn gone(&self) {
        let mut gone = self.gone.clone();
        // Nothing is ever sent: it ends.
        while gone.changed().await.is_ok() {}
    }

    async fn ask(&self, ask: Ask, number: u64) -> u64 {
        let (waits, reply) = oneshot::channel();
        let mut request = [ask as u8; REQUEST];
        request[1..].copy_from_slice(&number.to_le_bytes());
        match self.asks.send((request, waits)) {
            Ok(()) => reply.await.unwrap_or_default(),
            Err(_) => 0,
        }
    }

    /// The version of a key.
    pub async fn version(&self, key: usize) -> u64 {
        self.ask(Ask::Read, key as u64).await
    }

    /// Raises the version of a key by one, and gives the new one.
    pub async fn raise(&self, key: usize) -> u64 {
        self.ask(Ask::Raise, key as u64).await
    }

    /// Tells the others of an epoch, and gives the highest one that was told of.
    pub async fn tell(&self, epoch: u64) -> u64 {
        self.ask(Ask::Tell, epoch).await
    }

    /// What is to be done now.
    pub async fn phase(&self) -> Phase {
        Phase::from_number(self.ask(Ask::Phase, 0).await).unwrap_or(Phase::End)
    }

    /// Says that this process has done what the phase asked for.
    pub async fn done(&self, process: u8, phase: Phase) {
        self.ask(Ask::Done, u64::from(process) | (phase as u64) << 8).await;
    }
}
