//! Counting instructions: by `perf` where the machine lets it, else by `valgrind`, else not at all.

use std::process::Command;

/// What counts instructions.
#[derive(Debug, Clone, Copy)]
pub enum Counter {
    /// `perf stat`.
    Perf,
    /// `valgrind --tool=callgrind`.
    Valgrind,
}

impl Counter {
    /// The first one that works here.
    #[must_use]
    pub fn find() -> Option<Self> {
        [Self::Perf, Self::Valgrind].into_iter().find(|counter| counter.count(&["true"]).is_some())
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Perf => "`perf stat`",
            Self::Valgrind => "`valgrind --tool=callgrind`",
        }
    }

    /// Instructions of one operation, of which a program that is run with `arguments` and a number does as many.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a number for people")]
    pub fn measure(self, program: &str, arguments: &[&str], times: u64) -> Option<f64> {
        let count = |times: u64| {
            let times = times.to_string();
            self.count(&[&[program], arguments, &[&times]].concat())
        };
        Some((count(2 * times)? as f64 - count(times)? as f64) / times as f64)
    }

    /// Instructions of a process, of all its threads.
    fn count(self, command: &[&str]) -> Option<u64> {
        let (program, arguments): (_, &[&str]) = match self {
            Self::Perf => ("perf", &["stat", "-x,", "-e", "instructions:u"]),
            Self::Valgrind => ("valgrind", &["--tool=callgrind", "--callgrind-out-file=/dev/null"]),
        };
        let output = Command::new(program).args(arguments).args(command).output().ok()?;
        if !output.status.success() {
            return None;
        }
        let report = String::from_utf8_lossy(&output.stderr);
        let count = match self {
            Self::Perf => report.lines().find(|line| line.contains("instructions"))?.split(',').next()?,
            Self::Valgrind => report.lines().find_map(|line| line.split("Collected : ").nth(1))?,
        };
        count.trim().parse().ok()
    }
}
