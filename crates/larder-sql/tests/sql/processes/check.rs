//! Compares what was read with what was invalidated.

use std::{collections::HashMap, time::Duration};

/// What a worker has said: a kind, a key, a version, and when it was.
pub(super) type Event = (String, i64, i64, i64);

/// For how long a worker serves while it is disconnected.
pub(super) const MAY_BE_DISCONNECTED: Duration = Duration::from_millis(500);

/// What an event may be off, and how much later than an error a commit may be made that the error hides.
const SLACK: i64 = 20;
const LATE: i64 = 1_000;

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) reads: usize,
    pub(super) hits: usize,
    pub(super) changes: usize,
    /// Committed, and their process died, or lost its connection, before it knew.
    pub(super) unknown: usize,
    pub(super) violations: Vec<String>,
}

/// Compares all that was read with all that was delivered, or committed, before.
pub(super) fn check(histories: &[Vec<Event>], committed: &[(i64, i64, i64)]) -> Findings {
    let mut findings = Findings::default();
    let mut done: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
    let mut open: HashMap<i64, i64> = HashMap::new();
    for told in histories {
        let mut begun = None;
        for (kind, key, version, at) in told {
            match &**kind {
                "begun" => begun = Some(*version),
                "done" => {
                    begun = None;
                    done.entry(*key).or_default().push((*at, *version));
                    findings.changes += 1;
                }
                // The commit that was begun before was made by now, or never.
                "unknown" | "killed" => open.extend(begun.take().map(|attempt| (attempt, at + LATE))),
                "own" => findings.violations.push(format!("own write of {key}: {version}, and not {at}")),
                _ => {}
            }
        }
    }
    for (attempt, key, version) in committed {
        if let Some(at) = open.get(attempt) {
            done.entry(*key).or_default().push((*at, *version));
            findings.unknown += 1;
        }
    }
    done.values_mut().for_each(|changes| changes.sort_unstable());
    for (kind, key, version, at) in histories.iter().flatten() {
        if kind != "hit" && kind != "read" {
            continue;
        }
        findings.reads += 1;
        findings.hits += usize::from(kind == "hit");
        let last = at - i64::try_from(MAY_BE_DISCONNECTED.as_millis()).unwrap() - SLACK;
        let known = done.get(key).into_iter().flatten().take_while(|(when, _)| *when < last);
        if let Some((when, newest)) = known.max_by_key(|(_, version)| *version)
            && version < newest
        {
            let late = at - when;
            findings
                .violations
                .push(format!("{kind} of {key}: {version}, and not {newest}, after {late} ms"));
        }
    }
    findings
}
