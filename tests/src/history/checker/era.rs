//! What was delivered, and until when that holds.

use super::input::Window;
use super::known::Known;
use super::placed::Placed;
use super::run_index::RunIndex;
use crate::history::clock::Moment;
use crate::history::log::Outcome;

/// The time between two failovers that may lose something, the first of which is included.
pub(super) struct Era {
    /// By scope: when changes were in the log, at the latest.
    pub(super) delivered: Vec<Known>,
    /// By scope: at which epochs changes are in the log.
    pub(super) epochs: Vec<Known>,
}

impl Era {
    /// The era after these windows.
    pub(super) fn new(run: &RunIndex<'_>, past: &[Window]) -> Self {
        let none = || vec![Known::default(); run.space.scopes.len()];
        let mut era = Self { delivered: none(), epochs: none() };
        for (number, placed) in run.changes.iter().enumerate() {
            let Some(delivered) = stands(run, placed, past) else { continue };
            let called = placed.change.called;
            for &scope in &placed.change.scopes {
                era.delivered[scope].add(delivered, called, number);
                if let Outcome::Delivered(epoch @ 1..) = placed.change.outcome {
                    era.epochs[scope].add(epoch, called, number);
                }
            }
        }
        era.delivered.iter_mut().chain(&mut era.epochs).for_each(Known::settle);
        era
    }
}

/// When a change was delivered in a way that these windows did not undo.
fn stands(run: &RunIndex<'_>, placed: &Placed, past: &[Window]) -> Option<Moment> {
    let mut delivered = run.delivered(placed)?;
    for window in past {
        // It was acknowledged at some moment between the call and this one.
        if placed.change.called < window.until && delivered > window.from {
            let asked = placed.change.returned.max(window.until);
            delivered = run.drained_after(placed.process, asked, window.until)?;
        }
    }
    Some(delivered)
}
