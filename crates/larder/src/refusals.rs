//! What a store refuses until it is mended, and how that is logged: by a warning for the first one, and one a minute
//! while it lasts.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Instant, SystemTime},
};

use crate::{
    link::{Operation, Refusal},
    panic_guard::report,
    shared_entries::rejections::AGAIN,
    shared_log::contract::LogObserver,
    sync::plain::lock,
};

/// The longest reply that is repeated.
const LONGEST: usize = 300;

/// What a store refuses at the moment.
#[derive(Debug)]
pub(crate) struct Refusals {
    /// For warnings: `redis`, `the database`.
    who: &'static str,
    /// Whether there is any: one load on the way of every command.
    any: AtomicBool,
    matters: Mutex<Vec<RefusalMatter>>,
}

/// All about one operation. It stays when the operation works again, so that one that is refused now and then is not a
/// warning each time.
#[derive(Debug)]
struct RefusalMatter {
    operation: Operation,
    current: Option<Refusal>,
    warned: Option<Instant>,
    /// Refused so often since then.
    unreported: u64,
}

impl Refusals {
    pub(crate) fn new(who: &'static str) -> Self {
        Self { who, any: AtomicBool::default(), matters: Mutex::default() }
    }

    /// The servers have refused an operation, in these words.
    pub(crate) fn refused(&self, operation: Operation, reply: &str, mend: &str) {
        if let Some((refusal, count)) = self.note(operation, Some((reply, mend))) {
            // Not under the lock: a subscriber may do anything.
            let Refusal { operation, reply, mend, .. } = refusal;
            report!(warn, %operation, reply, mend, count, "{} refuses what larder needs", self.who);
        }
    }

    /// Something was done without what was refused before.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "for what can be done without"))]
    pub(crate) fn again(&self, operation: Operation) {
        if let Some((refusal, count)) = self.note(operation, None) {
            let Refusal { operation, reply, mend, .. } = refusal;
            report!(warn, %operation, reply, mend, count, "{} still refuses what larder needs", self.who);
        }
    }

    /// An operation was accepted.
    pub(crate) fn accepted(&self, operation: Operation) {
        if !self.any.load(Relaxed) {
            return;
        }
        let ended = {
            let mut matters = lock(&self.matters);
            let matter = matters.iter_mut().find(|matter| matter.operation == operation);
            let ended = matter.and_then(|matter| matter.current.take());
            self.any.store(matters.iter().any(|matter| matter.current.is_some()), Relaxed);
            ended
        };
        if let Some(Refusal { operation, count, .. }) = ended {
            report!(debug, %operation, count, "{} accepts again what it refused", self.who);
        }
    }

    /// What is refused at the moment.
    pub(crate) fn list(&self) -> Vec<Refusal> {
        lock(&self.matters).iter().filter_map(|matter| matter.current.clone()).collect()
    }

    /// Counts a refusal. Returns what is to be warned of, and how often it happened since the last warning.
    fn note(&self, operation: Operation, words: Option<(&str, &str)>) -> Option<(Refusal, u64)> {
        let mut matters = lock(&self.matters);
        let index = match matters.iter().position(|matter| matter.operation == operation) {
            Some(index) => index,
            None => {
                matters.push(RefusalMatter { operation, current: None, warned: None, unreported: 0 });
                matters.len() - 1
            }
        };
        let matter = &mut matters[index];
        let refusal = match (&mut matter.current, words) {
            (Some(refusal), words) => {
                if let Some((reply, mend)) = words {
                    (refusal.reply, refusal.mend) = (shortened(reply), mend.to_owned());
                }
                refusal.count += 1;
                refusal.clone()
            }
            (current, Some((reply, mend))) => {
                let since = SystemTime::now();
                let (reply, mend) = (shortened(reply), mend.to_owned());
                current.insert(Refusal { operation, reply, mend, since, count: 1 }).clone()
            }
            (None, None) => return None,
        };
        self.any.store(true, Relaxed);
        matter.unreported += 1;
        let now = Instant::now();
        if matter.warned.is_some_and(|warned| now.duration_since(warned) < AGAIN) {
            return None;
        }
        matter.warned = Some(now);
        Some((refusal, std::mem::take(&mut matter.unreported)))
    }
}

impl LogObserver for Refusals {
    fn refused(&self, operation: Operation, reply: &str, mend: &str) {
        self.refused(operation, reply, mend);
    }

    fn accepted(&self, operation: Operation) {
        self.accepted(operation);
    }
}

fn shortened(reply: &str) -> String {
    match reply.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &reply[..end]),
        None => reply.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_for_many_refusals() {
        let refusals = Refusals::new("redis");
        let refuse = || refusals.note(Operation::Store, Some(("OOM", "mend")));
        assert_eq!(refuse().map(|(_, count)| count), Some(1));
        assert!((0..10).all(|_| refuse().is_none()));
        assert_eq!(refusals.list()[0].count, 11);
        refusals.accepted(Operation::Read);
        assert_eq!(refusals.list().len(), 1);
        refusals.accepted(Operation::Store);
        assert_eq!(refusals.list(), []);
        assert!(refuse().is_none(), "what comes and goes is no warning each time");
        lock(&refusals.matters)[0].warned = Instant::now().checked_sub(AGAIN);
        assert_eq!(refuse().map(|(_, count)| count), Some(12), "a minute later");
    }

    #[test]
    fn what_is_done_without_counts_once_it_was_refused() {
        let refusals = Refusals::new("redis");
        refusals.again(Operation::Script);
        assert_eq!(refusals.list(), []);
        refusals.refused(Operation::Script, "ERR unknown command", "mend");
        refusals.again(Operation::Script);
        assert_eq!(refusals.list()[0].count, 2);
    }

    #[test]
    fn long_replies_are_cut_at_a_letter() {
        assert_eq!(shortened(&"ü".repeat(1_000)).chars().count(), LONGEST + 1);
    }
}
