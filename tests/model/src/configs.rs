//! The configurations that are searched.

use super::config::{Config, Faults, Fine, Nested};
use super::event::Event::*;
use super::mutant::Mutant;
use super::scope::Scopes;

const K: Scopes = Scopes::K;
const D: Scopes = Scopes::D;
const KD: Scopes = K.and(D);
const WIDE: Scopes = Scopes::WIDE;
const ALL: Scopes = Scopes::ALL;
const NONE: Scopes = Scopes::NONE;

/// One process, memory only.
const MEMORY: Config = Config {
    name: "",
    callers: [2, 0],
    redis: false,
    follows: [true, true],
    shared: false,
    reads: [K, NONE],
    renews: [NONE, NONE],
    invalidates: [K, NONE],
    invalidations: 2,
    computations: 2,
    inserts: 0,
    singleflight: false,
    nested: Nested::GetOrCompute,
    warm: [false, false],
    stored: false,
    backward: false,
    entries_elsewhere: false,
    bypass: false,
    fine: Fine::COARSE,
    faults: Faults::NONE,
    expects: &[],
};

/// Two processes, memory and Redis, a caller in each.
const TIERED: Config = Config {
    callers: [1, 1],
    redis: true,
    shared: true,
    reads: [K, K],
    invalidates: [K, K],
    computations: 1,
    ..MEMORY
};

macro_rules! configs {
    ($( $(#[doc = $doc:literal])+ $name:ident: $base:ident { $($fields:tt)* } )+) => {
        $(
            $(#[doc = $doc])+
            pub const $name: Config = Config { name: stringify!($name), $($fields)* ..$base };
        )+

        /// Every configuration.
        pub const EVERY: &[Config] = &[$( $name, )+];
    };
}

configs! {
    /// Hits beside invalidations, every step of both apart.
    HITS: MEMORY {
        invalidates: [K.and(WIDE), NONE],
        warm: [true, false],
        fine: Fine { hit: true, apply: true, begin: true, ..Fine::COARSE },
        expects: &[HitAtOnce, HitAfterLook, StaleInMemory, Computed],
    }
    /// Three appliers in one process: two callers and the log's reader.
    APPLIERS: TIERED {
        callers: [2, 1],
        follows: [true, false],
        shared: false,
        reads: [K, NONE],
        invalidates: [D, K],
        warm: [true, false],
        computations: 1,
        fine: Fine { hit: true, apply: true, ..Fine::COARSE },
        expects: &[HitAfterLook, StaleInMemory, Applied, EchoLeft],
    }
    /// Callers that join computations of `k`.
    COMPUTATIONS: MEMORY {
        callers: [3, 0],
        singleflight: true,
        computations: 3,
        fine: Fine { apply: true, ..Fine::COARSE },
        expects: &[Joined, OutcomeAccepted, OutcomeRefused, LaterOutcomeAccepted],
    }
    /// Computations that may find an entry in Redis.
    SHARED_COMPUTATIONS: TIERED {
        callers: [2, 1],
        singleflight: true,
        stored: true,
        expects: &[Joined, OutcomeAccepted, OutcomeRefused, Promoted],
    }
    /// Callers that join computations of `d`.
    DEPENDENT_COMPUTATIONS: MEMORY {
        singleflight: true,
        reads: [KD, NONE],
        computations: 4,
        fine: Fine { apply: true, ..Fine::COARSE },
        expects: &[Joined, OutcomeAccepted, OutcomeRefused, DependencyRead],
    }
    /// `d` made from `k` in one process.
    DEPENDENCIES: MEMORY {
        reads: [KD, NONE],
        invalidates: [KD.and(WIDE), NONE],
        computations: 3,
        expects: &[DependencyRead, StaleInMemory, HitAfterLook],
    }
    /// `d` made from a `k` that may not be there, and may be inserted.
    MISSING_DEPENDENCIES: MEMORY {
        reads: [KD, NONE],
        nested: Nested::Get,
        inserts: 1,
        computations: 3,
        expects: &[MissRead, DependencyRead, StaleInMemory, InsertKept],
    }
    /// `d` made from `k` in two processes, both kept in Redis.
    SHARED_DEPENDENCIES: TIERED {
        stored: true,
        reads: [KD, KD],
        computations: 3,
        expects: &[DependencyRead, Written, Promoted, RefusedBySlots],
    }
    /// `d` made from a `k` that may be found missing, in two processes.
    SHARED_MISSES: TIERED {
        reads: [KD, D],
        nested: Nested::Get,
        computations: 2,
        expects: &[MissRead, DependencyRead, Written, Promoted, RefusedBySlots],
    }
    /// Old values that are kept, of `k` and of `d`.
    RENEWALS: MEMORY {
        reads: [KD, NONE],
        renews: [KD, NONE],
        invalidates: [KD, NONE],
        computations: 2,
        warm: [true, false],
        fine: Fine { begin: true, apply: true, ..Fine::COARSE },
        expects: &[PreviousKept, PreviousRefused, DependencyRead, StaleInMemory, HitAfterLook],
    }
    /// The same in two processes that find them in Redis, and keep them there.
    SHARED_RENEWALS: TIERED {
        stored: true,
        reads: [D, KD],
        renews: [KD, D],
        computations: 2,
        expects: &[PreviousKept, PreviousRefused, Written, Promoted, RefusedBySlots, DependencyRead],
    }
    /// Inserts beside invalidations in one process.
    INSERTS: MEMORY {
        inserts: 1,
        invalidates: [K.and(WIDE), NONE],
        invalidations: 3,
        fine: Fine { apply: true, ..Fine::COARSE },
        expects: &[InsertKept, InsertDropped, HitAtOnce],
    }
    /// An insert of what is not in the database yet, every step apart.
    SHOWN_INSERTS: MEMORY {
        inserts: 1,
        invalidates: [NONE, NONE],
        invalidations: 1,
        computations: 3,
        fine: Fine { hit: true, apply: true, begin: true, ..Fine::COARSE },
        expects: &[InsertKept, HitAtOnce, HitAfterLook, FoundAfterBegin, PlaceRefused],
    }
    /// Inserts beside another process that invalidates and reads.
    SHARED_INSERTS: TIERED {
        callers: [2, 1],
        inserts: 1,
        expects: &[InsertKept, InsertDropped, InsertWritten, Promoted],
    }
    /// An insert's own record that comes after the value, and is older than it.
    LATE_RECORDS: TIERED {
        inserts: 1,
        computations: 0,
        reads: [NONE, K],
        invalidates: [K, K],
        invalidations: 2,
        fine: Fine { judge: true, apply: true, ..Fine::COARSE },
        expects: &[InsertWritten, Promoted, ValidInLogOrder, StaleInMemory, RefusedByOutbox, RefusedBySlots],
    }
    /// Entries of Redis judged and promoted, every step apart.
    JUDGEMENT: TIERED {
        follows: [true, false],
        stored: true,
        reads: [K, NONE],
        fine: Fine { judge: true, apply: true, ..Fine::COARSE },
        expects: &[Promoted, RefusedByOutbox, RefusedBySlots, EchoLeft, Applied, StaleInMemory],
    }
    /// A promotion beside an invalidation of the same process.
    PROMOTION: TIERED {
        callers: [2, 0],
        follows: [true, false],
        stored: true,
        reads: [K, NONE],
        fine: Fine { judge: true, apply: true, ..Fine::COARSE },
        expects: &[Promoted, RefusedByOutbox, RefusedBySlots, EchoLeft, StaleInMemory],
    }
    /// Computations written to Redis beside invalidations.
    WRITES: TIERED {
        computations: 2,
        invalidates: [K, WIDE],
        fine: Fine { begin: true, ..Fine::COARSE },
        expects: &[Written, Promoted, RefusedBySlots],
    }
    /// The position beside slots and `now`.
    POSITION: TIERED {
        reads: [KD, KD],
        invalidates: [NONE, K],
        invalidations: 1,
        warm: [true, false],
        computations: 2,
        fine: Fine { apply: true, begin: true, ..Fine::COARSE },
        expects: &[DependencyRead, Written, Promoted, RefusedBySlots],
    }
    /// A scope that is invalidated again while its append is under way.
    OUTBOX: TIERED {
        invalidates: [K, NONE],
        expects: &[AddedSinceAppend, EchoLeft, ReplyAfterEcho, RefusedByOutbox],
    }
    /// Replies, echoes and records of others in one log.
    REPLIES: TIERED {
        warm: [true, true],
        shared: false,
        reads: [K, K],
        fine: Fine { check: true, ..Fine::COARSE },
        expects: &[ReplyAfterEcho, EchoLeft, Applied, HitAtOnce],
    }
    /// A log that is trimmed before it is read.
    TRIMS: TIERED {
        stored: true,
        warm: [true, false],
        follows: [true, false],
        reads: [K, NONE],
        invalidates: [NONE, KD],
        faults: Faults { trims: 2, ..Faults::NONE },
        fine: Fine { check: true, ..Fine::COARSE },
        expects: &[GapFound, NewStart, RefusedByFloor],
    }
    /// A log that is lost.
    LOSSES: TIERED {
        stored: true,
        warm: [true, true],
        invalidates: [K, NONE],
        faults: Faults { losses: 1, ..Faults::NONE },
        expects: &[LossFound, ResetAppended, ResetYielded, GapFound, RefusedByFloor],
    }
    /// A log that is lost twice, the second time perhaps before both processes have noticed the first.
    LOSSES_IN_A_ROW: TIERED {
        stored: true,
        warm: [true, true],
        invalidates: [K, NONE],
        invalidations: 1,
        faults: Faults { losses: 2, falling: true, ..Faults::NONE },
        expects: &[LossFound, ResetAppended, ResetYielded, GapFound, RefusedByFloor],
    }
    /// A log that is lost, and made anew by a process that knows nothing on a clock behind.
    FALLING_LOSSES: TIERED {
        stored: true,
        warm: [true, true],
        invalidations: 1,
        faults: Faults { losses: 1, restarts: 1, falling: true, ..Faults::NONE },
        expects: &[LossFound, ResetAppended, NewStart, RefusedByFloor],
    }
    /// A log that becomes what it was, while connections stay and appends go on.
    PUT_BACK: TIERED {
        stored: true,
        reads: [NONE, K],
        invalidates: [K, D],
        computations: 0,
        faults: Faults { put_backs: 1, lagging: true, minutes: 1, ..Faults::NONE },
        expects: &[SetBackFound, LossFound, UnreadAppended, AppendedAgain, ResetAppended, NewStart, RefusedByFloor],
    }
    /// Restarts, with the backward read.
    RESTARTS: TIERED {
        stored: true,
        invalidates: [K, ALL],
        backward: true,
        faults: Faults { restarts: 1, ..Faults::NONE },
        expects: &[NewStart, StartFloorLowered, ResetFloorRaised, Promoted, RefusedByFloor],
    }
    /// Restarts, with a trimmed log behind the backward read.
    TRIMMED_RESTARTS: TIERED {
        stored: true,
        follows: [true, false],
        reads: [K, NONE],
        invalidates: [NONE, K.and(WIDE)],
        backward: true,
        faults: Faults { restarts: 1, trims: 2, ..Faults::NONE },
        expects: &[NewStart, StartFloorLowered, Promoted, RefusedByFloor, GapFound],
    }
    /// Everything is invalidated, step by step.
    CLEARS: TIERED {
        stored: true,
        warm: [true, true],
        invalidates: [NONE, ALL],
        fine: Fine { judge: true, apply: true, ..Fine::COARSE },
        expects: &[ResetFloorRaised, RefusedByFloor, Promoted, StaleInMemory],
    }
    /// A new start, step by step.
    STARTS: TIERED {
        stored: true,
        warm: [true, false],
        invalidates: [NONE, K],
        invalidations: 1,
        backward: true,
        faults: Faults { trims: 1, ..Faults::NONE },
        fine: Fine { judge: true, start: true, ..Fine::COARSE },
        expects: &[NewStart, GapFound, RefusedByFloor],
    }
    /// A trimmed log between two processes that both invalidate.
    MUTUAL_TRIMS: TIERED {
        stored: true,
        reads: [K, NONE],
        faults: Faults { trims: 1, ..Faults::NONE },
        expects: &[GapFound, NewStart, AppendedAgain, RefusedByFloor],
    }
    /// A log that is lost around a restart, with the backward read.
    LOST_STARTS: TIERED {
        stored: true,
        reads: [K, NONE],
        invalidations: 1,
        backward: true,
        faults: Faults { losses: 1, restarts: 1, ..Faults::NONE },
        expects: &[ResetAppended, ResetFloorRaised, StartFloorLowered, Promoted],
    }
    /// An insert around a lost log.
    LOST_INSERTS: TIERED {
        inserts: 1,
        computations: 0,
        faults: Faults { losses: 1, ..Faults::NONE },
        expects: &[InsertKept, InsertWritten, ResetAppended, Promoted],
    }
    /// Links that break and come back on the same server.
    DROPS: TIERED {
        stored: true,
        warm: [true, true],
        invalidations: 2,
        faults: Faults { drops: 2, ..Faults::NONE },
        expects: &[EchoLeft, Applied, HitAtOnce],
    }
    /// Hits of a process that may be out of contact, every step apart.
    BYPASS: TIERED {
        shared: false,
        follows: [true, false],
        reads: [K, NONE],
        invalidates: [NONE, KD],
        warm: [true, false],
        bypass: true,
        faults: Faults { silences: 1, ..Faults::NONE },
        fine: Fine { hit: true, apply: true, ..Fine::COARSE },
        expects: &[OutOfContact, ContactProven, HitAtOnce, HitAfterLook, StaleInMemory, Applied],
    }
    /// Entries of Redis judged by a process that may be out of contact, every step apart.
    BYPASS_JUDGEMENT: TIERED {
        stored: true,
        follows: [true, false],
        reads: [K, NONE],
        invalidates: [NONE, K],
        invalidations: 1,
        bypass: true,
        faults: Faults { silences: 1, ..Faults::NONE },
        fine: Fine { judge: true, apply: true, ..Fine::COARSE },
        expects: &[OutOfContact, ContactProven, Promoted, RefusedBySlots, Applied],
    }
    /// A failover that loses records, IDs rise.
    FAILOVER: TIERED {
        stored: true,
        invalidates: [K, NONE],
        faults: Faults { failovers: 1, ..Faults::NONE },
        expects: &[ReplicaFound, NewStart, AppendedAgain, ResetAppended, RefusedByFloor],
    }
    /// A failover that loses records, with the backward read.
    FAILOVER_STARTS: TIERED {
        stored: true,
        reads: [K, NONE],
        invalidates: [NONE, K],
        backward: true,
        faults: Faults { failovers: 1, lagging: true, ..Faults::NONE },
        expects: &[ReplicaFound, StartFloorLowered, AppendedAgain, Promoted],
    }
    /// A failover that loses records which no outbox remembers.
    FORGOTTEN_FAILOVER: TIERED {
        stored: true,
        reads: [NONE, K],
        invalidates: [K, D],
        computations: 0,
        faults: Faults { failovers: 1, lagging: true, minutes: 1, ..Faults::NONE },
        expects: &[ReplicaFound, ReplicaIncomplete, ResetAppended, NewStart, RefusedByFloor],
    }
    /// A failover that loses records, IDs fall.
    FALLING_FAILOVER: TIERED {
        reads: [K, NONE],
        invalidates: [D, K],
        faults: Faults { failovers: 1, lagging: true, rising: false, falling: true, ..Faults::NONE },
        expects: &[ReplicaFound, NewStart, AppendedAgain, ResetAppended, RefusedByFloor],
    }
    /// The same in a cluster, where the entries are on other masters: what was made with the lost IDs stays.
    FALLING_CLUSTER: TIERED {
        invalidates: [K, K],
        entries_elsewhere: true,
        faults: Faults { failovers: 1, lagging: true, rising: false, falling: true, ..Faults::NONE },
        expects: &[ReplicaFound, NewStart, AppendedAgain, ResetAppended, RefusedByFloor, Promoted, LeaptAfterStart],
    }
}

/// Where each mutant is caught.
#[must_use]
pub fn catches(mutant: Mutant) -> Config {
    match mutant {
        Mutant::StampAfterComputation | Mutant::NowBeforeSlots | Mutant::StampMovedToLaterNow => HITS,
        Mutant::TwoAppliers => APPLIERS,
        Mutant::PositionBeforeSlots => POSITION,
        Mutant::PromotionStampedAtInsertion => PROMOTION,
        Mutant::ContactAskedAfterLook => BYPASS,
        Mutant::ContactAskedAfterJudging => BYPASS_JUDGEMENT,
        Mutant::PromotionWithoutCheck | Mutant::OutboxNotLookedAt | Mutant::SlotsLookedAtFirst => JUDGEMENT,
        Mutant::PromotionTakesLaterEpoch | Mutant::OutboxNotLookedAtAgain | Mutant::SlotsNotLookedAtAgain => {
            LATE_RECORDS
        }
        Mutant::NoDependencies => DEPENDENCIES,
        Mutant::MissesNotRecorded => MISSING_DEPENDENCIES,
        Mutant::PreviousNotJudged | Mutant::PreviousNotRecorded => RENEWALS,
        Mutant::JoinAnyComputation => COMPUTATIONS,
        Mutant::OwnScopesOnly => DEPENDENT_COMPUTATIONS,
        Mutant::NoTrimCheck | Mutant::NoFloorAfterTrim => TRIMS,
        Mutant::OwnReplyMovesPosition => REPLIES,
        Mutant::OlderReplyEmptiesOutbox | Mutant::OlderEchoEmptiesOutbox => OUTBOX,
        Mutant::NoFloorAtStart | Mutant::BackwardReadLowersReset => RESTARTS,
        Mutant::LostLogTakenForQuiet => LOSSES,
        Mutant::FloorWithoutLocalChange => CLEARS,
        Mutant::ResetAtServersId => FALLING_LOSSES,
        Mutant::InsertStampedAtEnd => INSERTS,
        Mutant::PlacedAfterChange
        | Mutant::NoLookAfterBegin
        | Mutant::OlderTakesPlace
        | Mutant::StampMovedDown => SHOWN_INSERTS,
        Mutant::OutboxAfterLocalChange | Mutant::AppendBeforeLocalChange => PROMOTION,
        Mutant::ReplicaNotNoticed | Mutant::NotAppendedAgain => FAILOVER,
        Mutant::SetBackNotNoticed | Mutant::NamedNotMissed => PUT_BACK,
        Mutant::ReplicaTakenForWhole => FORGOTTEN_FAILOVER,
        Mutant::NoLeapAfterStart => FALLING_CLUSTER,
    }
}
