//! The bytes of a record. `docs/invalidation-log.md` has them one by one, for other languages.

use crate::scope::ScopeHash;

const VERSION: u8 = 1;
const INVALIDATION: u8 = 0;
const WAKE: u8 = 1;
const START: u8 = 2;

/// The sender of a record of no process in particular: that of a reset.
const NO_PROCESS: u64 = 0;

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// These scopes were invalidated.
    Invalidation {
        /// The process and log that appended it.
        sender: u64,
        /// The attempt of its outbox.
        attempt: u64,
        /// What was invalidated; never empty.
        scopes: Vec<ScopeHash>,
    },
    /// Callers that wait for this key should look again.
    Wake {
        /// The key.
        key: ScopeHash,
        /// Whether there is a value now.
        filled: bool,
    },
    /// A process that has begun to follow the log appends from here on. Nothing is invalidated: what counts is the ID.
    Start {
        /// Who appended it.
        sender: u64,
    },
}

impl Content {
    /// The record of a reset, which covers everything.
    pub(crate) fn reset() -> Self {
        Self::Invalidation { sender: NO_PROCESS, attempt: 0, scopes: vec![ScopeHash::ALL] }
    }

    /// Whether its ID is chosen by who appends it, ahead of the clock.
    #[cfg(feature = "inspect")]
    pub(crate) fn has_id_of_its_own(&self) -> bool {
        matches!(self, Self::Start { .. }) || *self == Self::reset()
    }

    /// Whether it covers everything.
    pub(crate) fn covers_everything(&self) -> bool {
        matches!(self, Self::Invalidation { scopes, .. } if scopes.contains(&ScopeHash::ALL))
    }

    /// Its bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Invalidation { sender, attempt, scopes } => {
                let numbers = [*sender, *attempt].into_iter().chain(scopes.iter().map(|scope| scope.get()));
                [VERSION, INVALIDATION].into_iter().chain(numbers.flat_map(u64::to_be_bytes)).collect()
            }
            Self::Wake { key, filled } => {
                let mut bytes = vec![VERSION, WAKE];
                bytes.extend(key.get().to_be_bytes());
                bytes.push(u8::from(*filled));
                bytes
            }
            Self::Start { sender } => [VERSION, START].into_iter().chain(sender.to_be_bytes()).collect(),
        }
    }

    /// Reads the bytes; none if they are not exactly those of a record of this version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[version, kind], body) = bytes.split_first_chunk()?;
        match (version, kind) {
            (VERSION, INVALIDATION) => Self::decode_invalidation(body),
            (VERSION, WAKE) => Self::decode_wake(body),
            (VERSION, START) => Some(Self::Start { sender: u64::from_be_bytes(body.try_into().ok()?) }),
            _ => None,
        }
    }

    fn decode_invalidation(body: &[u8]) -> Option<Self> {
        let (sender, body) = number(body)?;
        let (attempt, body) = number(body)?;
        let whole = !body.is_empty() && body.len().is_multiple_of(size_of::<u64>());
        whole.then(|| {
            let (hashes, _) = body.as_chunks();
            let scopes =
                hashes.iter().map(|hash| ScopeHash::from_number(u64::from_be_bytes(*hash))).collect();
            Self::Invalidation { sender, attempt, scopes }
        })
    }

    fn decode_wake(body: &[u8]) -> Option<Self> {
        let (key, body) = number(body)?;
        let filled = match body {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        Some(Self::Wake { key: ScopeHash::from_number(key), filled })
    }
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}
