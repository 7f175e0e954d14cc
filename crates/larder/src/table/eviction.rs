//! Which entries are kept.

/// By which rule entries are kept when there is not room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Eviction {
    /// Keeps what is used often, and lately: a new entry goes first, until it is used; what comes back soon after it
    /// went is taken for used. The best choice for most mixes, and the one that scans cannot hurt. With
    /// `Store::Moka`, [TinyLFU](https://arxiv.org/abs/1512.00727).
    #[default]
    TinyLfu,
    /// Keeps what was used last. For mixes in which what is new is what will be asked for. Times of use are compared in
    /// sixteenths of the time in which as much is stored as is kept, among some twenty entries at a time, so that now
    /// and then another entry goes than the very oldest.
    Lru,
}
