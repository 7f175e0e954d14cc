//! From what was measured with few processes: how many logs many of them would need, on servers of one core each.

use crate::processes::Load;

/// How much of a core a log may take of its server.
const OF_SERVER: f64 = 0.5;

/// What one log takes of its server: a straight line through the least and the greatest number of followers, for each rate
/// that was measured. Between two rates the line between their lines, and above the greatest one as much for each record.
struct Model(Vec<Line>);

struct Line {
    records: f64,
    alone: f64,
    each: f64,
    follower: f64,
}

impl Model {
    fn of(loads: &[Load]) -> Self {
        let least = loads.iter().map(|load| load.followers).fold(f64::INFINITY, f64::min);
        let few: Vec<_> = loads.iter().filter(|load| load.followers <= least).collect();
        let many = &loads[loads.len() - few.len()..];
        let lines = few.iter().zip(many).map(|(few, many)| {
            let each = (many.server - few.server) / (many.followers - few.followers);
            let alone = few.server - each * few.followers;
            Line { records: many.records, alone, each, follower: many.follower }
        });
        Self(lines.collect())
    }

    /// Shares of a core with so many records a second: of the server, and of a process that follows.
    fn shares(&self, processes: f64, records: f64) -> (f64, f64) {
        let of = |line: &Line| (line.alone + line.each * processes, line.follower);
        let above = self.0.iter().position(|line| line.records >= records);
        let (low, high) = match above {
            None => {
                let last = self.0.last().expect("something was measured");
                let ((server, process), more) = (of(last), records / last.records);
                return (server * more, process * more);
            }
            Some(0) => return of(&self.0[0]),
            Some(above) => (&self.0[above - 1], &self.0[above]),
        };
        let part = (records - low.records) / (high.records - low.records);
        let between = |low: f64, high: f64| low + (high - low) * part;
        let (low, high) = (of(low), of(high));
        (between(low.0, high.0), between(low.1, high.1))
    }
}

/// Prints how many logs it takes, and what is then left to do for each server and each process.
#[expect(clippy::print_stdout, reason = "it is what this is for")]
pub(crate) fn project(loads: &[Load]) {
    let model = Model::of(loads);
    println!(
        "\n| processes | records a second | logs that each follows | logs | a server, of a core | a process, of a core |"
    );
    println!("| --: | --: | --- | --: | --: | --: |");
    for (processes, records) in [(64.0, 1e3), (64.0, 1e4), (1e3, 1e2), (1e3, 1e3), (1e3, 1e4), (1e3, 1e5)] {
        for (name, followed) in [("all", 1.0), ("a tenth", 0.1)] {
            let shares = |logs: f64| model.shares(processes * followed, records / logs);
            let counts = (0..16).map(|power| f64::from(1 << power));
            let enough = counts.into_iter().find(|&logs| shares(logs).0 <= OF_SERVER);
            let Some(logs) = enough else {
                println!("| {processes} | {records} | {name} | too many | | |");
                continue;
            };
            let (server, process) = shares(logs);
            let process = process * (logs * followed).max(1.0);
            println!(
                "| {processes} | {records} | {name} | {logs} | {:.0} % | {:.1} % |",
                server * 100.0,
                process * 100.0,
            );
        }
    }
}
