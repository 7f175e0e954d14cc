//! One way of one connection.

use std::collections::VecDeque;
use std::{future, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::board::{Board, Link};
use super::fault::{Direction, Fault};
use super::rules::{Rules, Way};
use super::severed::Severed;

/// Bytes under way before the sender has to wait, as on any network.
const CAPACITY: usize = 8 << 20;

/// Carries bytes from one socket to another, late or never where the rules say so.
pub(super) struct Pump<'a> {
    id: u64,
    way: Direction,
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    rules: watch::Receiver<Rules>,
    board: &'a Board,
    line: VecDeque<Parcel>,
    queued: usize,
    /// The sender has sent its last byte.
    ended: bool,
    /// The receiver is to be told that it has, or will be when all is delivered.
    closing: bool,
    closed: bool,
    /// Something was swallowed.
    lost: bool,
    /// What may still pass is in line.
    spent: bool,
    /// The setting that `passed` belongs to.
    version: u64,
    passed: u64,
}

/// Bytes under way before the sender has to wait, on a link that is throttled.
const THROTTLED: usize = 64 << 10;

struct Parcel {
    due: Instant,
    bytes: Vec<u8>,
    written: usize,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        id: u64,
        way: Direction,
        from: ReadHalf<'a>,
        to: WriteHalf<'a>,
        rules: watch::Receiver<Rules>,
        board: &'a Board,
    ) -> Self {
        let version = rules.borrow().way(way).version;
        Self {
            id,
            way,
            from,
            to,
            rules,
            board,
            line: VecDeque::new(),
            queued: 0,
            ended: false,
            closing: false,
            closed: false,
            lost: false,
            spent: false,
            version,
            passed: 0,
        }
    }

    /// Until the way has ended in good order, or the link is severed.
    pub(super) async fn run(mut self) -> Result<(), Severed> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let rules = *self.rules.borrow_and_update();
            if rules.cut_through >= self.id {
                return Err(Severed::Reset);
            }
            let fault = self.obey(rules.way(self.way)).await?;
            let held = fault == Fault::Hold && !self.closing;
            if self.ended && self.line.is_empty() && !self.lost && !held {
                self.close().await;
                return Ok(());
            }
            let capacity = if matches!(fault, Fault::Throttle(_)) { THROTTLED } else { CAPACITY };
            let reads = !self.ended && !self.spent && self.queued < capacity;
            let sends = !self.line.is_empty() && !held;
            tokio::select! {
                biased;
                changed = self.rules.changed() => changed.map_err(|_| Severed::Reset)?,
                written = deliver(&mut self.line, &mut self.to), if sends => self.delivered(written?),
                read = self.from.read(&mut buffer), if reads => match read {
                    Ok(0) => self.end(),
                    Ok(bytes) => self.take(&buffer[..bytes]),
                    // A reset is no more able to cross a black hole than anything else.
                    Err(_) if self.current().fault == Fault::Swallow => self.end(),
                    Err(_) => return Err(Severed::Reset),
                },
            }
        }
    }

    /// Looked up after each read: it may have changed since the read began, and by now holds for what
    /// was read.
    fn current(&self) -> Way {
        self.rules.borrow().way(self.way)
    }

    async fn obey(&mut self, way: Way) -> Result<Fault, Severed> {
        if self.lost && way.fault != Fault::Swallow {
            return Err(Severed::Reset);
        }
        if self.spent && self.line.is_empty() {
            return Err(Severed::Close);
        }
        self.closing |= way.closed_through >= self.id;
        if self.closing && !self.closed && self.line.is_empty() {
            self.close().await;
        }
        Ok(way.fault)
    }

    async fn close(&mut self) {
        self.closed = true;
        let _ = self.to.shutdown().await;
        self.note(|link, way| link.closed[way] = true);
    }

    fn end(&mut self) {
        self.ended = true;
        if self.current().fault == Fault::Swallow {
            self.lose();
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.board.write(|notes| notes.received[self.way as usize] += bytes.len() as u64);
        let way = self.current();
        if way.version != self.version {
            (self.version, self.passed) = (way.version, 0);
        }
        let mut bytes = bytes;
        let mut due = Instant::now();
        match way.fault {
            _ if self.closing => return,
            Fault::Swallow => return self.lose(),
            Fault::CutAfter(most) => {
                let left = usize::try_from(most.saturating_sub(self.passed)).unwrap_or(usize::MAX);
                self.spent = bytes.len() > left;
                bytes = &bytes[..bytes.len().min(left)];
            }
            Fault::Delay(delay) => due += delay,
            Fault::Throttle(rate) => return self.take_slowly(bytes, rate),
            Fault::None | Fault::Hold | Fault::Hide(_) => {}
        }
        self.passed += bytes.len() as u64;
        if !bytes.is_empty() {
            self.queued += bytes.len();
            let mut bytes = bytes.to_vec();
            if let Fault::Hide(words) = way.fault {
                words.iter().for_each(|word| hide(&mut bytes, word.as_bytes()));
            }
            self.line.push_back(Parcel { due, bytes, written: 0 });
        }
    }

    /// A hundredth of a second's worth at a time.
    fn take_slowly(&mut self, bytes: &[u8], rate: u64) {
        let piece = usize::try_from(rate / 100).unwrap_or(usize::MAX).max(1);
        let mut due = self.line.back().map_or_else(Instant::now, |last| last.due.max(Instant::now()));
        for piece in bytes.chunks(piece) {
            due += Duration::from_secs_f64(piece.len() as f64 / rate as f64);
            self.queued += piece.len();
            self.line.push_back(Parcel { due, bytes: piece.to_vec(), written: 0 });
        }
    }

    fn lose(&mut self) {
        self.lost = true;
        self.note(|link, way| link.lost[way] = true);
    }

    fn delivered(&mut self, bytes: usize) {
        self.queued -= bytes;
        self.board.write(|notes| notes.delivered[self.way as usize] += bytes as u64);
    }

    fn note(&self, note: impl FnOnce(&mut Link, usize)) {
        self.board.write(|notes| note(notes.links.entry(self.id).or_default(), self.way as usize));
    }
}

fn hide(bytes: &mut [u8], word: &[u8]) {
    let places: Vec<_> = bytes.windows(word.len()).enumerate().filter(|(_, there)| *there == word).collect();
    let places: Vec<_> = places.into_iter().map(|(place, _)| place + word.len() - 2).collect();
    places.into_iter().for_each(|place| bytes[place] = b'_');
}

/// Writes from the first parcel when it is due. Nothing is lost when this is dropped.
async fn deliver(line: &mut VecDeque<Parcel>, to: &mut WriteHalf<'_>) -> Result<usize, Severed> {
    let Some(parcel) = line.front_mut() else {
        return future::pending().await;
    };
    sleep_until(parcel.due).await;
    let written = to.write(&parcel.bytes[parcel.written..]).await.map_err(|_| Severed::Reset)?;
    parcel.written += written;
    if parcel.written == parcel.bytes.len() {
        line.pop_front();
    }
    Ok(written)
}
