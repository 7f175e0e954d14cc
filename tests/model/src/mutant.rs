//! The rules of the design, each broken in the ways that its text names in brackets, and in a few
//! that it does not.

macro_rules! mutants {
    ($( $rule:literal { $( $name:ident: $text:literal, )+ } )+) => {
        /// One rule left out or turned round.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Mutant {
            $( $( #[doc = concat!("Rule ", $rule, ": ", $text, ".")] $name, )+ )+
        }

        impl Mutant {
            /// The rule that it breaks and how, in the words of the design.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self {
                    $( $( Self::$name => concat!("rule ", $rule, ": ", $text), )+ )+
                }
            }
        }
    };
}

mutants! {
    "1" {
        StampAfterComputation: "stamp taken after the computation",
    }
    "2" {
        NowBeforeSlots: "`now` before slots",
        PositionBeforeSlots: "position before slots",
        TwoAppliers: "two appliers",
    }
    "3" {
        StampMovedToLaterNow: "stamp moved to a later `now`",
        PromotionStampedAtInsertion: "promotion stamped at insertion",
        PromotionWithoutCheck: "promotion without a check",
    }
    "3, beyond the brackets" {
        PromotionTakesLaterEpoch: "a promoted entry judged again by a later epoch than its own",
        OutboxNotLookedAtAgain: "judged again in log order without the outbox",
        SlotsNotLookedAtAgain: "judged again in log order without the log slots",
    }
    "4" {
        OutboxNotLookedAt: "outbox not looked at",
        SlotsLookedAtFirst: "slots looked at first",
    }
    "5" {
        NoDependencies: "none recorded",
        MissesNotRecorded: "misses not recorded",
    }
    "5, beyond the brackets" {
        PreviousNotJudged: "an old value kept as it was found before the begin of the computation",
        PreviousNotRecorded: "what covers an old value does not cover what is kept of it",
    }
    "6" {
        JoinAnyComputation: "join any computation",
        OwnScopesOnly: "look at the key's own scopes only",
    }
    "7" {
        NoTrimCheck: "no check that nothing was trimmed",
        OwnReplyMovesPosition: "own reply moves the position",
    }
    "7, beyond the brackets" {
        SetBackNotNoticed: "the newest record that was read not looked for again",
    }
    "8" {
        OlderReplyEmptiesOutbox: "an older reply empties what was added since",
        OlderEchoEmptiesOutbox: "an older echo empties what was added since",
    }
    "9" {
        NoFloorAtStart: "no floor at start",
        NoFloorAfterTrim: "no floor after a trim",
        LostLogTakenForQuiet: "a lost log taken for a quiet one",
        BackwardReadLowersReset: "the backward read lowers the floor of a reset",
        FloorWithoutLocalChange: "a rise of the floor that is not also a local change",
    }
    "9, with IDs that fall" {
        NoLeapAfterStart: "the first record after a new start at the server's own ID",
    }
    "10" {
        ResetAtServersId: "reset at the server's own ID",
    }
    "11" {
        InsertStampedAtEnd: "stamped at its end",
    }
    "11, beyond the brackets" {
        PlacedAfterChange: "put in memory after the change can be seen",
        NoLookAfterBegin: "no look at memory between the begin of a computation and the computation",
        OlderTakesPlace: "what began earlier takes the place of what is in memory",
        StampMovedDown: "stamp moved down to a `now` from before the insert",
    }
    "3 and 4, beyond the brackets" {
        ContactAskedAfterLook: "contact asked for after the look at the slots",
        ContactAskedAfterJudging: "contact asked for after a Redis entry was judged",
    }
    "8, beyond the brackets" {
        OutboxAfterLocalChange: "the local change made before the outbox is entered",
        AppendBeforeLocalChange: "appended before the local change is made",
        NamedNotMissed: "a record that was named, and is not in the log, not appended again",
    }
    "9, beyond the brackets" {
        ReplicaNotNoticed: "the lost end of a log not noticed by `master_replid`, nor by records that are missing",
        NotAppendedAgain: "nothing appended again, neither at a new start nor what is not read back",
        ReplicaTakenForWhole: "the log of a replica taken for whole",
    }
}
