//! The data of a body as a sequence of chunks.

use std::collections::VecDeque;

use bytes::{BufMut as _, Bytes, BytesMut};

/// Chunks shorter than this many bytes are joined: a handler that writes byte by byte takes memory for its bytes, and not
/// for a chunk each.
const SMALL: usize = 1024;

/// Longest chunk that others are joined to, in bytes.
const JOINED: usize = 16 * 1024;

#[derive(Debug, Clone, Default)]
pub(crate) struct Chunks {
    chunks: VecDeque<Chunk>,
    length: usize,
}

#[derive(Debug, Clone)]
enum Chunk {
    Received(Bytes),
    Joined(BytesMut),
}

impl Chunks {
    /// In bytes.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn push(&mut self, data: Bytes) {
        self.length += data.len();
        if data.is_empty() {
            return;
        }
        match self.chunks.back_mut() {
            Some(Chunk::Joined(last)) if data.len() < SMALL && last.len() + data.len() <= JOINED => {
                last.put(data);
            }
            Some(last @ Chunk::Received(_)) if data.len() < SMALL && last.bytes().len() < SMALL => {
                let mut both = BytesMut::with_capacity(2 * SMALL);
                both.put(last.bytes());
                both.put(data);
                *last = Chunk::Joined(both);
            }
            _ => self.chunks.push_back(Chunk::Received(data)),
        }
    }

    /// Removes the first chunk.
    pub(crate) fn pop(&mut self) -> Option<Bytes> {
        let first = match self.chunks.pop_front()? {
            Chunk::Received(data) => data,
            Chunk::Joined(data) => data.freeze(),
        };
        self.length -= first.len();
        Some(first)
    }

    /// All of the data, in memory of its own: a chunk may be a view of a much larger buffer.
    pub(crate) fn whole(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.length);
        for chunk in &self.chunks {
            whole.put(chunk.bytes());
        }
        whole.freeze()
    }
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Received(data) => data,
            Self::Joined(data) => data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_chunks_are_joined_in_their_order() {
        let mut chunks = Chunks::default();
        let mut all = Vec::new();
        for n in 0..100_000_usize {
            let data = if n % 20_000 == 0 { vec![7; 5000] } else { vec![n.to_le_bytes()[0]] };
            all.extend_from_slice(&data);
            chunks.push(data.into());
        }
        assert!(chunks.chunks.len() < 30, "{}", chunks.chunks.len());
        assert_eq!(chunks.len(), all.len());
        assert_eq!(chunks.whole(), all);
        let mut taken = Vec::new();
        while let Some(data) = chunks.pop() {
            taken.extend_from_slice(&data);
        }
        assert_eq!((taken, chunks.len()), (all, 0));
    }

    #[test]
    fn chunks_that_are_taken_at_once_are_not_joined() {
        let mut chunks = Chunks::default();
        for text in ["a", "b"] {
            chunks.push(text.into());
            assert_eq!(chunks.pop(), Some(text.into()));
        }
        chunks.push("".into());
        assert_eq!(chunks.pop(), None);
    }
}
