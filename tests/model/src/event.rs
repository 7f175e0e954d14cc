//! What happened in a run: the guard against a search that proves nothing because nothing occurs.

macro_rules! events {
    ($( $name:ident, )+) => {
        /// Something worth having seen.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[expect(missing_docs, reason = "each is named for what happened")]
        pub enum Event {
            $( $name, )+
        }

        impl Event {
            const ALL: &[Self] = &[$( Self::$name, )+];
        }
    };
}

events! {
    HitAtOnce,
    HitAfterLook,
    StaleInMemory,
    ValidInLogOrder,
    Promoted,
    RefusedByOutbox,
    RefusedByFloor,
    RefusedBySlots,
    Computed,
    Written,
    Joined,
    OutcomeAccepted,
    OutcomeRefused,
    LaterOutcomeAccepted,
    DependencyRead,
    MissRead,
    Applied,
    EchoLeft,
    ReplyAfterEcho,
    AddedSinceAppend,
    QuietRead,
    GapFound,
    LossFound,
    SetBackFound,
    UnreadAppended,
    ReplicaFound,
    ReplicaIncomplete,
    ResetAppended,
    ResetYielded,
    NewStart,
    LeaptAfterStart,
    AppendedAgain,
    StartFloorLowered,
    ResetFloorRaised,
    InsertKept,
    InsertDropped,
    InsertWritten,
    FoundAfterBegin,
    PreviousKept,
    PreviousRefused,
    PlaceRefused,
    OutOfContact,
    ContactProven,
}

/// A set of events.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Events(u64);

impl Events {
    pub(crate) fn add(&mut self, event: Event) {
        self.0 |= 1 << event as u32;
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether the event was seen.
    #[must_use]
    pub fn contains(self, event: Event) -> bool {
        self.0 & 1 << event as u32 != 0
    }

    /// The events seen.
    pub fn iter(self) -> impl Iterator<Item = Event> {
        Event::ALL.iter().copied().filter(move |&event| self.contains(event))
    }
}
