//! Writes that may be what ended several processes: each is written by itself, and counted before.

use tokio::time::sleep;

use super::{Consumer, Outcome, PAUSE};
use crate::{
    panic_guard::report,
    value::Value,
    write_behind::{
        backlog::{Backlog, Group},
        consumer_lease::Term,
        delivery::Admission,
        id::WriteId,
        queue_state::Shared,
    },
};

impl<T: Value> Consumer<T> {
    /// Whether the sink may be given what it is to be given now: a write that may be what ended several processes is
    /// counted first, so that its process can end once more and it is known.
    pub(super) async fn admit(&self, alone: Option<WriteId>, term: &Term) -> Admission {
        let Shared { store, options, .. } = &*self.shared;
        let Some(id) = alone else { return Admission::Write };
        match store.begin_alone(id).await {
            Ok(begun) if begun > options.retries.attempts.into() => Admission::GiveUp,
            Ok(_) => Admission::Write,
            Err(error) => {
                report!(debug, queue = options.name, %error, "a write-behind queue cannot be asked now");
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    () = term.over() => {}
                }
                Admission::Later
            }
        }
    }

    /// Makes dead letters of these. False if the lease was lost.
    pub(super) async fn give_up(
        &self,
        backlog: &mut Backlog<T>,
        groups: &[Group<T>],
        mut outcome: Outcome,
        term: &Term,
    ) -> bool {
        let attempts = self.shared.options.retries.attempts;
        let reason = format!(
            "the process ended each time that this write was given to the sink, by itself, {attempts} times"
        );
        groups.iter().for_each(|group| outcome.settlement.given_up(group.dead(), &reason));
        self.shared.figures.failed(&reason);
        let still = self.remove(backlog, outcome, term).await;
        if let (true, Some(id)) = (still, groups.first().and_then(Group::alone)) {
            self.shared.store.end_alone(id).await;
        }
        still
    }
}
