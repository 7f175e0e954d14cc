//! The moves of the system: who goes next.

use super::config::Config;
use super::fault::Fault;
use super::scope::{Key, Scopes};
use super::state::{Pc, Sending, State};

/// What a caller sets out to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    Read(Key),
    /// A read that finds what is past its `ttl`, and computes with that in hand.
    Renew(Key),
    Invalidate(Scopes),
    Insert,
}

/// One move; between two moves anything else may happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Initial,
    Call(u8, u8, Call),
    Resume(u8, u8),
    Follow(u8),
    ReadBackwards(u8),
    Append(u8, u8),
    Reply(u8, u8),
    OlderReply(u8, u8),
    Fault(Fault),
}

/// Calls `each` with every move that may be possible; [`super::step::Step`] refuses the others.
pub(crate) fn each(config: &Config, state: &State, mut each: impl FnMut(Action)) {
    for p in 0..2u8 {
        callers(config, state, p, &mut each);
        if config.redis {
            network(config, state, p, &mut each);
        }
    }
    Fault::each(config, state, |fault| each(Action::Fault(fault)));
}

fn callers(config: &Config, state: &State, p: u8, each: &mut impl FnMut(Action)) {
    let index = usize::from(p);
    // Idle callers are alike: let the first of them go.
    let mut idle = false;
    for c in 0..config.callers[index] {
        if state.processes[index].callers[usize::from(c)].pc != Pc::Idle {
            each(Action::Resume(p, c));
            continue;
        }
        if std::mem::replace(&mut idle, true) {
            continue;
        }
        for key in Key::ALL {
            if config.reads[index].meets(key.name()) {
                each(Action::Call(p, c, Call::Read(key)));
            }
            if config.renews[index].meets(key.name()) {
                each(Action::Call(p, c, Call::Renew(key)));
            }
        }
        if state.ghost.called.count_ones() >= u32::from(config.invalidations) {
            continue;
        }
        for scope in config.invalidates[index].indices().map(Scopes::nth) {
            each(Action::Call(p, c, Call::Invalidate(scope)));
        }
        if p == 0 && state.spent.inserts < config.inserts {
            each(Action::Call(p, c, Call::Insert));
        }
    }
}

fn network(config: &Config, state: &State, p: u8, each: &mut impl FnMut(Action)) {
    let process = &state.processes[usize::from(p)];
    if config.follows[usize::from(p)] {
        each(Action::Follow(p));
    }
    if process.backward != 0 {
        each(Action::ReadBackwards(p));
    }
    for (scope, pending) in (0u8..).zip(&process.outbox) {
        match pending.sending {
            Sending::Queued => each(Action::Append(p, scope)),
            Sending::Sent(_) | Sending::Echoed(_) => each(Action::Reply(p, scope)),
            Sending::Empty | Sending::Entered | Sending::Named(_) => {}
        }
        if pending.older != 0 {
            each(Action::OlderReply(p, scope));
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scope = |index: u8| Scopes::nth(usize::from(index));
        match *self {
            Self::Initial => f.write_str("at first"),
            Self::Call(p, c, Call::Read(key)) => write!(f, "P{p}.{c} reads {}", key.name()),
            Self::Call(p, c, Call::Renew(key)) => write!(f, "P{p}.{c} renews {}", key.name()),
            Self::Call(p, c, Call::Invalidate(scope)) => write!(f, "P{p}.{c} invalidates {scope}"),
            Self::Call(p, c, Call::Insert) => write!(f, "P{p}.{c} inserts k"),
            Self::Resume(p, c) => write!(f, "P{p}.{c} goes on"),
            Self::Follow(p) => write!(f, "P{p} follows the log"),
            Self::ReadBackwards(p) => write!(f, "P{p} reads the log backwards"),
            Self::Append(p, s) => write!(f, "P{p} appends {}", scope(s)),
            Self::Reply(p, s) => write!(f, "P{p} gets the reply to its append of {}", scope(s)),
            Self::OlderReply(p, s) => write!(f, "P{p} gets an older reply for {}", scope(s)),
            Self::Fault(fault) => write!(f, "fault: {fault}"),
        }
    }
}
