//! The header: all that decides whether an entry may be served, before anything of it is decoded.
//!
//! `docs/wire-format.md` has it byte by byte. Numbers are big endian: a script on the server compares
//! two epochs byte by byte, without numbers that its language rounds, and people can read a dump.

use std::{ops::Range, time::Duration};

use xxhash_rust::xxh3::xxh3_64;

use super::{compression::Compression, limits::Limits, reason::Rejected};
use crate::{
    epoch::Epoch,
    scope::{self, ScopeHash, ScopeSet},
};

pub(super) const MAGIC: [u8; 3] = *b"LRD";
pub(super) const VERSION: u8 = 1;

/// In place of the version where a whole message of it is sealed: see `wire::sealed`.
pub(super) const SEALED: u8 = 0x80 | VERSION;

/// Of a header without scopes.
pub(super) const FIXED: usize = 80;
const SCOPE: usize = 8;

/// What the first checksum covers begins behind it.
const CHECKED: usize = 8;

/// When an entry was made, and how long each of its phases lasts.
///
/// Times are those of the *server's* clock, as each process estimates it, so that the clocks of two
/// processes need not agree. Lifetimes rather than points in time: a reader whose estimate is behind the
/// writer's sees a negative age, takes it for zero, and serves an entry too long by no more than the
/// difference of the two. Whether an entry is *valid* is a matter of its epoch alone, and of no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// By the server's clock, as its writer estimated it, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) created: u64,
    /// From `created`: for how long a hit is nothing but a hit.
    pub(crate) prompt: Duration,
    /// From `created`: for how long it is fresh. Not less than `prompt`.
    pub(crate) fresh: Duration,
    /// From the end of `fresh`: for how long it is served while it is refreshed.
    pub(crate) revalidate: Duration,
    /// From the end of `fresh`: for how long it is served if a computation fails.
    pub(crate) on_error: Duration,
}

/// How long each phase of an entry still lasts, counted from now; zero where it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remaining {
    /// Since it was made.
    pub(crate) age: Duration,
    /// To the end of the time in which a hit is nothing but a hit.
    pub(crate) prompt: Duration,
    /// To the end of freshness.
    pub(crate) fresh: Duration,
    /// To the end of `stale_while_revalidate`.
    pub(crate) revalidate: Duration,
    /// To the end of `stale_if_error`.
    pub(crate) on_error: Duration,
}

impl Times {
    /// What is left of each phase at `now`: by the same server's clock, as the reader estimates it, in the
    /// unit of `created`.
    #[must_use]
    pub(crate) fn remaining(&self, now: u64) -> Remaining {
        let age = Duration::from_millis(now.saturating_sub(self.created));
        Remaining {
            age,
            prompt: self.prompt.saturating_sub(age),
            fresh: self.fresh.saturating_sub(age),
            revalidate: self.fresh.saturating_add(self.revalidate).saturating_sub(age),
            on_error: self.fresh.saturating_add(self.on_error).saturating_sub(age),
        }
    }
}

/// What an entry is stored under: everything in its header that is not about bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// The writer's position when the computation began.
    pub(crate) epoch: Epoch,
    /// Its lifetime.
    pub(crate) times: Times,
    /// What covers it. At most 4,096.
    pub(crate) scopes: ScopeSet,
}

/// A header that was parsed, with the message's length checked against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The number of the codec by which the payload was encoded. Whether a reader has it is for its [`Codecs`](super::Codecs)
    /// to say.
    pub(crate) codec: u8,
    /// How it was compressed.
    pub(crate) compression: Compression,
    /// The fingerprint of the value's type.
    pub(crate) shape: u64,
    /// What the entry is stored under.
    pub(crate) envelope: Envelope,
    raw: u32,
    payload: u32,
    checksum: u32,
    length: usize,
}

/// What the header says of the payload.
pub(super) struct Payload<'p> {
    pub(super) codec: u8,
    pub(super) compression: Compression,
    pub(super) shape: u64,
    /// Its length before compression.
    pub(super) raw: u32,
    pub(super) bytes: &'p [u8],
}

pub(super) const fn length(scopes: usize) -> usize {
    FIXED + SCOPE * scopes
}

impl Header {
    /// Reads the header of a message. Costs nothing that grows with the payload, and allocates for the
    /// scopes at most.
    ///
    /// # Errors
    ///
    /// If it is not one that this build can read, or not the whole message is there.
    pub(crate) fn parse(message: &[u8], limits: &Limits) -> Result<Self, Rejected> {
        Self::parse_beginning(message, message.len(), limits)
    }

    /// The same of a message of which not all is at hand: its beginning, which has the whole header, and its length.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse); `Truncated` also if the header is longer than this beginning.
    pub(crate) fn parse_beginning(
        beginning: &[u8],
        length: usize,
        limits: &Limits,
    ) -> Result<Self, Rejected> {
        if length > limits.largest_stored {
            return Err(Rejected::TooLarge);
        }
        let head = checked(beginning)?;
        let header = Self {
            codec: head[10],
            compression: Compression::from_number(head[11]).ok_or(Rejected::Compression)?,
            raw: u32_at(head, 12),
            shape: u64_at(head, 24),
            envelope: Envelope {
                epoch: Epoch::from_number(u64_at(head, 16)),
                times: times(head)?,
                scopes: scopes(head),
            },
            payload: u32_at(head, 72),
            checksum: u32_at(head, 76),
            length: head.len(),
        };
        header.check_lengths(length.saturating_sub(head.len()), limits)?;
        Ok(header)
    }

    fn check_lengths(&self, there: usize, limits: &Limits) -> Result<(), Rejected> {
        match there as u64 {
            there if there < self.payload.into() => return Err(Rejected::Truncated),
            there if there > self.payload.into() => return Err(Rejected::Trailing),
            _ => {}
        }
        if self.raw as usize > limits.largest_raw {
            return Err(Rejected::TooLarge);
        }
        if !self.compression.allows(self.raw, self.payload) {
            return Err(Rejected::Header);
        }
        Ok(())
    }

    /// The length of the header: where the payload begins.
    #[must_use]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The payload's length before compression.
    #[must_use]
    pub(crate) fn raw_length(&self) -> usize {
        self.raw as usize
    }

    /// The same of a message that was just made.
    pub(crate) fn raw_length_of(message: &[u8]) -> u64 {
        message.get(..FIXED).map_or(0, |head| u32_at(head, 12).into())
    }

    /// The payload's length as it is stored.
    #[cfg(any(feature = "inspect", test))]
    #[must_use]
    pub(crate) fn stored_length(&self) -> usize {
        self.payload as usize
    }

    /// The payload of the message that this is the header of, as it was stored.
    pub(super) fn payload<'m>(&self, message: &'m [u8]) -> Result<&'m [u8], Rejected> {
        let payload = message.get(self.length()..).ok_or(Rejected::Truncated)?;
        if payload.len() != self.payload as usize || low(xxh3_64(payload)) != self.checksum {
            return Err(Rejected::Checksum);
        }
        Ok(payload)
    }
}

/// The bytes of the header, once they are known to be there and unharmed.
fn checked(message: &[u8]) -> Result<&[u8], Rejected> {
    let known = message.len().min(MAGIC.len());
    if message[..known] != MAGIC[..known] {
        return Err(Rejected::Magic);
    }
    // A later version may be shorter, so its number counts before the length.
    match message.get(MAGIC.len()) {
        None | Some(&VERSION) => {}
        Some(&SEALED) => return Err(Rejected::Sealed),
        Some(_) => return Err(Rejected::Version),
    }
    if message.len() < FIXED {
        return Err(Rejected::Truncated);
    }
    let length = usize::from(u16::from_be_bytes(array(message, 8..10)));
    let scopes = length.checked_sub(FIXED).ok_or(Rejected::Header)?;
    if scopes % SCOPE != 0 || scopes / SCOPE > scope::MOST {
        return Err(Rejected::Header);
    }
    let head = message.get(..length).ok_or(Rejected::Truncated)?;
    if low(xxh3_64(&head[CHECKED..])) != u32_at(head, 4) {
        return Err(Rejected::Checksum);
    }
    Ok(head)
}

fn times(head: &[u8]) -> Result<Times, Rejected> {
    let duration = |at| Duration::from_millis(u64_at(head, at));
    let times = Times {
        created: u64_at(head, 32),
        prompt: duration(40),
        fresh: duration(48),
        revalidate: duration(56),
        on_error: duration(64),
    };
    if times.prompt > times.fresh {
        return Err(Rejected::Header);
    }
    Ok(times)
}

fn scopes(head: &[u8]) -> ScopeSet {
    let hashes = head[FIXED..].chunks_exact(SCOPE);
    hashes.map(|hash| ScopeHash::from_number(u64_at(hash, 0))).collect()
}

/// Writes the header into the beginning of `message`, where `length(scopes)` bytes are free for it.
pub(super) fn write(message: &mut [u8], payload: &Payload<'_>, envelope: &Envelope) {
    let length = length(envelope.scopes.len());
    let head = &mut message[..length];
    let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &MAGIC);
    put(3, &[VERSION]);
    put(8, &u16::try_from(length).expect("4,096 scopes are less than 64 KiB").to_be_bytes());
    put(10, &[payload.codec, payload.compression.number()]);
    put(12, &payload.raw.to_be_bytes());
    put(16, &envelope.epoch.number().to_be_bytes());
    put(24, &payload.shape.to_be_bytes());
    put(32, &envelope.times.created.to_be_bytes());
    let Times { prompt, fresh, revalidate, on_error, .. } = envelope.times;
    for (at, duration) in [(40, prompt.min(fresh)), (48, fresh), (56, revalidate), (64, on_error)] {
        put(at, &millis(duration).to_be_bytes());
    }
    put(72, &u32::try_from(payload.bytes.len()).expect("a writer stays below 4 GiB").to_be_bytes());
    put(76, &low(xxh3_64(payload.bytes)).to_be_bytes());
    for (index, scope) in envelope.scopes.iter().enumerate() {
        put(FIXED + SCOPE * index, &scope.get().to_be_bytes());
    }
    seal(head);
}

/// Writes the checksum of a header into it. `head` is the header alone.
pub(super) fn seal(head: &mut [u8]) {
    let sum = low(xxh3_64(&head[CHECKED..]));
    head[4..CHECKED].copy_from_slice(&sum.to_be_bytes());
}

/// Makes the checksums of a message right, whatever else is not. It is at least as long as a header.
#[cfg(any(test, fuzzing))]
pub(super) fn seal_message(message: &mut [u8]) {
    let length = usize::from(u16::from_be_bytes(array(message, 8..10))).clamp(FIXED, message.len());
    let (head, payload) = message.split_at_mut(length);
    head[76..FIXED].copy_from_slice(&low(xxh3_64(payload)).to_be_bytes());
    seal(head);
}

/// Rounded down, so that no entry lives longer than it should.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The low half: what the checksums keep of XXH3.
const fn low(hash: u64) -> u32 {
    hash as u32
}

fn array<const N: usize>(bytes: &[u8], at: Range<usize>) -> [u8; N] {
    bytes[at].try_into().expect("a range of this length")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(array(bytes, at..at + 4))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(array(bytes, at..at + 8))
}
