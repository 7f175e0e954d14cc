//! The bytes of a segment: records, each a head of one size and what follows it.
//!
//! A head tells what the record is, how long it is, and has a checksum of its own. So all heads are read at a start, and
//! nothing of the messages between them. A message is checked by the wire format when it is read.

use hmac_sha256::Hash;
use xxhash_rust::xxh3::xxh3_64;

use crate::scope::ScopeHash;

/// The length of a head.
pub(super) const HEAD: usize = 80;

const MAGIC: [u8; 4] = *b"LRDK";
const VERSION: u8 = 1;

/// The most scopes in one record.
pub(super) const MOST_SCOPES: usize = 4_000;

/// What identifies one boot of the machine; zeros where that cannot be known.
pub(super) type Boot = [u8; 16];

/// Of a key.
pub(super) type Digested = [u8; 24];

/// The head of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// What each segment begins with.
    Segment {
        number: u64,
        /// The length of its file for as long as records are added.
        size: u64,
        /// In which order its entries are dated: see [`SharedJudge::id`](super::SharedJudge::id); zero for that of one process.
        order: u64,
        boot: Boot,
    },
    /// A message of the wire format follows.
    Entry(EntryHead),
    /// Scopes that were invalidated, or marked, follow.
    Changes { length: u32, checksum: u64 },
    /// What a segment ends with that is complete. If `clean`, all that was ever written is safe from a power cut.
    End { clean: bool },
}

/// An entry, as far as it has to be known without its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryHead {
    /// The length of the message.
    pub(super) length: u32,
    /// The hash of the key's scope.
    pub(super) key: u64,
    /// When it is over, in milliseconds since 1970.
    pub(super) expires: u64,
    /// As in the message.
    pub(super) epoch: u64,
    /// The newest record of the shared order that covers everything, when it was written: zero if there was none.
    pub(super) reset: u64,
    /// Tells its key from any other one.
    pub(super) digest: Digested,
}

impl Head {
    /// How many bytes follow the head.
    pub(super) const fn body(&self) -> u64 {
        match self {
            Self::Entry(EntryHead { length, .. }) | Self::Changes { length, .. } => *length as u64,
            Self::Segment { .. } | Self::End { .. } => 0,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; HEAD] {
        let (kind, length, numbers, id) = match self {
            Self::Segment { number, size, order, boot } => {
                let mut id = [0; 32];
                id[..16].copy_from_slice(&boot);
                (1, 0, [number, size, order], id)
            }
            Self::Entry(EntryHead { length, key, expires, epoch, reset, digest }) => {
                let mut id = [0; 32];
                id[..8].copy_from_slice(&reset.to_be_bytes());
                id[8..].copy_from_slice(&digest);
                (2, length, [key, expires, epoch], id)
            }
            Self::Changes { length, checksum } => (3, length, [checksum, 0, 0], [0; 32]),
            Self::End { clean } => (4, 0, [clean.into(), 0, 0], [0; 32]),
        };
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = kind;
        bytes[8..12].copy_from_slice(&u32::to_be_bytes(length));
        for (at, number) in [16, 24, 32].into_iter().zip(numbers) {
            bytes[at..at + 8].copy_from_slice(&number.to_be_bytes());
        }
        bytes[40..72].copy_from_slice(&id);
        let checksum = xxh3_64(&bytes[..72]);
        bytes[72..].copy_from_slice(&checksum.to_be_bytes());
        bytes
    }

    /// None if these bytes are no head of this version, to the last bit.
    pub(super) fn parse(bytes: &[u8; HEAD]) -> Option<Self> {
        let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if bytes[..4] != MAGIC || bytes[4] != VERSION || number(72) != xxh3_64(&bytes[..72]) {
            return None;
        }
        let length = u32::from_be_bytes(bytes[8..12].try_into().expect("four bytes"));
        Some(match bytes[5] {
            1 => {
                let boot = bytes[40..56].try_into().expect("16 bytes");
                Self::Segment { number: number(16), size: number(24), order: number(32), boot }
            }
            2 => {
                let (key, expires, epoch) = (number(16), number(24), number(32));
                let (reset, digest) = (number(40), bytes[48..72].try_into().expect("24 bytes"));
                Self::Entry(EntryHead { length, key, expires, epoch, reset, digest })
            }
            3 => Self::Changes { length, checksum: number(16) },
            4 => Self::End { clean: number(16) != 0 },
            _ => return None,
        })
    }
}

/// Tells a key from any other one, also one that was chosen to be taken for it.
pub(super) fn digest(key: &str) -> Digested {
    Hash::hash(key.as_bytes())[..24].try_into().expect("a digest has 32 bytes")
}

/// Adds the records of these changes to `bytes`.
pub(super) fn put_changes(bytes: &mut Vec<u8>, scopes: &[ScopeHash]) {
    for scopes in scopes.chunks(MOST_SCOPES) {
        let body: Vec<u8> = scopes.iter().flat_map(|scope| scope.get().to_be_bytes()).collect();
        let length = u32::try_from(body.len()).expect("4,000 scopes are 32,000 bytes");
        let head = Head::Changes { length, checksum: xxh3_64(&body) };
        bytes.extend_from_slice(&head.to_bytes());
        bytes.extend_from_slice(&body);
    }
}

/// The scopes in the body of such a record; none if it is not what was written.
pub(super) fn changes(body: &[u8], checksum: u64) -> Option<Vec<ScopeHash>> {
    if xxh3_64(body) != checksum || !body.len().is_multiple_of(8) {
        return None;
    }
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    Some(body.chunks_exact(8).map(|bytes| ScopeHash::from_number(number(bytes))).collect())
}

#[cfg(all(test, not(larder_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_no_bit_of_it_can_change() {
        let entry = EntryHead { length: 7, key: 1, expires: u64::MAX, epoch: 3, reset: 2, digest: [9; 24] };
        let heads = [
            Head::Segment { number: 5, size: 1 << 20, order: 7, boot: [3; 16] },
            Head::Entry(entry),
            Head::Changes { length: 8, checksum: 11 },
            Head::End { clean: true },
            Head::End { clean: false },
        ];
        for head in heads {
            let bytes = head.to_bytes();
            assert_eq!(Head::parse(&bytes), Some(head));
            for bit in 0..HEAD * 8 {
                let mut harmed = bytes;
                harmed[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Head::parse(&harmed), None, "bit {bit} of {head:?}");
            }
        }
        assert_eq!(Head::parse(&[0; HEAD]), None);
    }

    #[test]
    fn changes_come_back_in_as_many_records_as_they_need() {
        let scopes: Vec<_> = (0..9_000).map(ScopeHash::from_number).collect();
        let mut bytes = Vec::new();
        put_changes(&mut bytes, &scopes);
        let (mut found, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let head = Head::parse(bytes[at..at + HEAD].try_into().unwrap()).unwrap();
            let Head::Changes { length, checksum } = head else { panic!("{head:?}") };
            let body = at + HEAD..at + HEAD + length as usize;
            found.extend(changes(&bytes[body.clone()], checksum).unwrap());
            at = body.end;
        }
        assert_eq!(found, scopes);
    }
}
