//! How much may happen in one search.

/// What may still begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// Computations.
    pub computations: u8,
    /// Beginnings of the generation.
    pub beginnings: u8,
    /// Inserts under the scope's own key.
    pub inserts: u8,
    /// Inserts under another key that the scope covers.
    pub wide_inserts: u8,
    /// Invalidations, in the process that reads and in another one.
    pub invalidations: [u8; 2],
    /// Things that a node loses.
    pub faults: u8,
}

const fn left(computations: u8, beginnings: u8, invalidations: [u8; 2], faults: u8) -> Left {
    Left { computations, beginnings, inserts: 0, wide_inserts: 0, invalidations, faults }
}

/// The same with inserts: of the scope's own key, and of others.
const fn inserts([inserts, wide_inserts]: [u8; 2], left: Left) -> Left {
    Left { inserts, wide_inserts, ..left }
}

/// Small, and enough for what each mutant needs.
pub const CONFIGURATIONS: [Left; 6] = [
    left(1, 1, [0, 1], 1),
    left(1, 1, [1, 0], 1),
    left(2, 1, [1, 0], 0),
    left(1, 2, [0, 1], 1),
    inserts([1, 0], left(0, 1, [0, 1], 1)),
    inserts([0, 1], left(0, 2, [0, 1], 0)),
];

/// Larger ones.
pub const DEEPER: [Left; 10] = [
    left(2, 2, [0, 1], 1),
    left(1, 2, [1, 1], 0),
    left(2, 1, [1, 1], 1),
    left(1, 2, [0, 1], 2),
    left(2, 3, [0, 1], 1),
    inserts([2, 0], left(1, 1, [0, 1], 1)),
    inserts([1, 1], left(0, 1, [0, 1], 0)),
    inserts([0, 1], left(0, 2, [0, 1], 1)),
    inserts([0, 2], left(1, 2, [0, 1], 1)),
    inserts([1, 1], left(1, 1, [1, 1], 0)),
];
