//! The details of the rule that a build can break, one at a time. `tests/tests/history/mutants.rs` includes this file.

macro_rules! rules {
    ($( $(#[$doc:meta])* $name:ident, )+) => {
        /// A detail that can be broken. `LARDER_MUTANT` names it as it is written here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Rule {
            $( $(#[$doc])* $name, )+
        }

        impl Rule {
            /// Every one there is.
            pub(crate) const ALL: &[Self] = &[$( Self::$name, )+];

            /// Its name.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $( Self::$name => stringify!($name), )+
                }
            }
        }
    };
}

rules! {
    /// A computed value has the read version of the computation's end.
    StampAfterComputation,
    /// A hit is no dependency of the computation around it.
    HitsNotRecorded,
    /// A miss is none.
    MissesNotRecorded,
    /// An old value that a computation is made from is handed out as it was found, whatever was invalidated since.
    PreviousNotJudged,
    /// What covers it does not cover what is made from it.
    PreviousNotRecorded,
    /// What the source of a stream reads while it is polled does not cover the list of its items.
    StreamPollsNotRecorded,
    /// A caller joins a computation that was superseded before it came.
    JoinsAnyComputation,
    /// Whether one was superseded is judged by the scopes of its key alone.
    ComputationJudgedByOwnScopes,
    /// What is inserted is stored though it was invalidated meanwhile.
    InsertWithoutCheck,
    /// Scopes that are prefixes invalidate nothing in memory.
    PrefixesNotApplied,
    /// What is marked stale is as fresh as before.
    MarksNotApplied,
    /// An entry is accepted though an invalidation of it waits in the outbox.
    OutboxNotLookedAt,
    /// An invalidation that could not be appended is not tried again.
    FailedAppendForgotten,
    /// An entry from Redis has the read version of its insertion into memory.
    PromotionStampedAtInsertion,
    /// An entry from Redis is not judged by the log.
    PromotionWithoutCheck,
    /// What is written to Redis has the epoch of the end of its computation.
    WriteStampedAtEnd,
    /// A message names the scopes of its key alone.
    OwnScopesOnTheWire,
    /// A process' position moves to what it appended itself.
    OwnReplyMovesPosition,
    /// What is older than a process' start is accepted.
    NoFloorAtStart,
    /// Records that were trimmed unread are not noticed.
    NoGapCheck,
    /// What is older than a gap is accepted.
    NoFloorAfterATrim,
    /// A gap invalidates nothing in memory.
    FloorRiseIsNoLocalChange,
    /// A log that is gone is taken for one without news.
    LostLogTakenForQuiet,
    /// Contact with the log counts from the reply, and not from the question.
    ContactProvenAtReply,
    /// Entries are served though the log is disconnected.
    BypassIgnored,
    /// A replica that lacks records, and was made the master, is followed as it is.
    ReplicaTakenForWhole,
}
