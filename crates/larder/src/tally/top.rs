//! What a ranking gives.

/// The highest members of a ranking, and how far their counts can be off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Top {
    /// Members and their counts, the highest first.
    pub members: Vec<(String, u64)>,
    /// No count is lower than what was counted, and none is higher by more than this. Whatever was counted more often than
    /// this is among the ranking's members. Zero while there was room for all of them.
    pub error: u64,
}

impl Top {
    /// Of these members of a ranking that has so many, the lowest of which has this count.
    pub fn new(members: Vec<(String, u64)>, lowest: Option<u64>) -> Self {
        Self { members, error: lowest.unwrap_or(0) }
    }
}
