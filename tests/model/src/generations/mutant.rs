//! Details of the rule, each of which is left out once.

/// A detail that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A generation begins with a number that was taken before it was seen to be missing.
    CountedFirst,
    /// A generation is put in the place of whatever is there.
    NoCas,
    /// The `cas` of a server before it was restarted counts.
    CasOfAnotherConnection,
    /// Only what was counted is compared.
    IncarnationsIgnored,
    /// An entry has the number from after its value was read.
    StampedAtWrite,
    /// Own invalidations that are not delivered do not count.
    NoOutbox,
    /// Nor do those that were delivered while generations were read.
    NoSlots,
    /// What is settled is known by a number from before its delivery.
    SettledByEarlierNumber,
    /// An entry of an incarnation that this process has never seen is taken for a new one.
    UnknownIncarnationTaken,
    /// What is inserted removes the generation, and begins it anew as a miss does.
    InsertedAsComputed,
    /// Any generation that begins is taken for the one that an insert has left.
    AnyMarkTaken,
    /// Each attempt of an insert leaves the same mark.
    OneMarkForAllAttempts,
    /// What was there when an insert began is not read again.
    NotReadAgain,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::CountedFirst,
        Self::NoCas,
        Self::CasOfAnotherConnection,
        Self::IncarnationsIgnored,
        Self::StampedAtWrite,
        Self::NoOutbox,
        Self::NoSlots,
        Self::SettledByEarlierNumber,
        Self::UnknownIncarnationTaken,
        Self::InsertedAsComputed,
        Self::AnyMarkTaken,
        Self::OneMarkForAllAttempts,
        Self::NotReadAgain,
    ];
}
