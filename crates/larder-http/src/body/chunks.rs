//! Parts of a body in the order in which they came.

use std::collections::VecDeque;

use bytes::{BufMut as _, Bytes, BytesMut};

/// A part that is shorter than this many bytes is put together with others: a handler that writes byte by byte
/// costs memory for the bytes, and not for a part each.
const SMALL: usize = 1024;

/// As many bytes are put together at most.
const GATHERED: usize = 16 * 1024;

#[derive(Debug, Clone, Default)]
pub(crate) struct Pieces {
    pieces: VecDeque<Piece>,
    length: usize,
}

#[derive(Debug, Clone)]
enum Piece {
    AsItCame(Bytes),
    Gathered(BytesMut),
}

impl Pieces {
    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn push(&mut self, data: Bytes) {
        self.length += data.len();
        if data.is_empty() {
            return;
        }
        match self.pieces.back_mut() {
            Some(Piece::Gathered(last)) if data.len() < SMALL && last.len() + data.len() <= GATHERED => {
                last.put(data);
            }
            Some(last @ Piece::AsItCame(_)) if data.len() < SMALL && last.bytes().len() < SMALL => {
                let mut both = BytesMut::with_capacity(2 * SMALL);
                both.put(last.bytes());
                both.put(data);
                *last = Piece::Gathered(both);
            }
            _ => self.pieces.push_back(Piece::AsItCame(data)),
        }
    }

    /// Takes what came first.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let first = match self.pieces.pop_front()? {
            Piece::AsItCame(data) => data,
            Piece::Gathered(data) => data.freeze(),
        };
        self.length -= first.len();
        Some(first)
    }

    /// All of it, in memory of its own: a part may be a view of something much larger.
    pub(crate) fn whole(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.length);
        for piece in &self.pieces {
            whole.put(piece.bytes());
        }
        whole.freeze()
    }
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::AsItCame(data) => data,
            Self::Gathered(data) => data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_are_put_together_in_their_order() {
        let mut pieces = Pieces::default();
        let mut all = Vec::new();
        for n in 0..100_000_usize {
            let data = if n % 20_000 == 0 { vec![7; 5000] } else { vec![n.to_le_bytes()[0]] };
            all.extend_from_slice(&data);
            pieces.push(data.into());
        }
        assert!(pieces.pieces.len() < 30, "{}", pieces.pieces.len());
        assert_eq!(pieces.len(), all.len());
        assert_eq!(pieces.whole(), all);
        let mut taken = Vec::new();
        while let Some(data) = pieces.pop() {
            taken.extend_from_slice(&data);
        }
        assert_eq!((taken, pieces.len()), (all, 0));
    }

    #[test]
    fn what_is_taken_at_once_is_taken_as_it_came() {
        let mut pieces = Pieces::default();
        for text in ["a", "b"] {
            pieces.push(text.into());
            assert_eq!(pieces.pop(), Some(text.into()));
        }
        pieces.push("".into());
        assert_eq!(pieces.pop(), None);
    }
}
