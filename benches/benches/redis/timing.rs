//! Time, in turns: whatever disturbs the machine disturbs all ways alike.

use std::time::Instant;

use tokio::{runtime::Runtime, task::JoinSet};

use crate::{ways::Group, work::Run};

/// What was found of one way.
pub(crate) struct Timing {
    /// Microseconds for each time that it was done: the median of all turns.
    pub(crate) micros: f64,
    /// To the first way, in the same round: the median of all rounds, and the quarters below and above it.
    pub(crate) ratio: [f64; 3],
}

/// The ways of a group, on a runtime.
pub(crate) struct Field<'r> {
    runtime: &'r Runtime,
    runs: Vec<Run>,
    next: u64,
}

impl<'r> Field<'r> {
    pub(crate) fn new(runtime: &'r Runtime, group: &Group, url: &str) -> Self {
        let runs = group.ways.iter().map(|way| runtime.block_on((way.prepare)(url.to_owned()))).collect();
        // Not the keys of any other field: what is missed is there afterwards.
        Self { runtime, runs, next: fastrand::u64(1 << 20..1 << 32) }
    }

    /// So many rounds, in each of which every way is done so many times, by so many tasks at once.
    pub(crate) fn measure(&mut self, rounds: usize, tasks: u64, times: u64) -> Vec<Timing> {
        let mut micros = vec![Vec::with_capacity(rounds); self.runs.len()];
        for round in 0..=rounds {
            let first = self.next;
            self.next += times;
            // Each has its turn in each place.
            for place in 0..self.runs.len() {
                let way = (place + round) % self.runs.len();
                let taken = turn(self.runtime, &self.runs[way], tasks, first, times);
                // The first round is for caches and branch predictors.
                if round > 0 {
                    micros[way].push(taken);
                }
            }
        }
        let base = micros[0].clone();
        let timing = |mut turns: Vec<f64>| {
            let mut ratios: Vec<f64> = turns.iter().zip(&base).map(|(own, base)| own / base).collect();
            turns.sort_by(f64::total_cmp);
            ratios.sort_by(f64::total_cmp);
            let quarter = |number: usize| ratios[(ratios.len() - 1) * number / 4];
            Timing { micros: turns[turns.len() / 2], ratio: [quarter(2), quarter(1), quarter(3)] }
        };
        micros.into_iter().map(timing).collect()
    }
}

/// Microseconds for each time.
#[expect(clippy::cast_precision_loss, reason = "numbers for people")]
pub(crate) fn turn(runtime: &Runtime, run: &Run, tasks: u64, first: u64, times: u64) -> f64 {
    let each = times / tasks;
    runtime.block_on(async {
        let begun = Instant::now();
        let mut under_way = JoinSet::new();
        for task in 0..tasks {
            let begin = first + task * each;
            under_way.spawn(run(begin..begin + each));
        }
        under_way.join_all().await;
        begun.elapsed().as_secs_f64() * 1e6 / (each * tasks) as f64
    })
}
