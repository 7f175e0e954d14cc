//! A guard against calls that become dearer: the instructions of some operations, as they were recorded.

use std::{env, fs, io, path::PathBuf, process::Command};

use crate::counter::Counter;

/// How much more than what is recorded is a rise, in percent: more than two runs of one build differ.
const ALLOWED: f64 = 3.0;

/// The instructions of operations by one compiler and one counter, in a file beside this crate: a line with both, and
/// one for each operation, with its instructions first.
#[derive(Debug)]
pub struct Recorded {
    /// What counted, and the compiler's version: figures of others cannot be compared with these.
    circumstances: String,
    operations: Vec<(u64, String)>,
}

impl Recorded {
    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
    }

    /// What is recorded.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is none of these.
    pub fn read() -> io::Result<Self> {
        let text = fs::read_to_string(Self::path())?;
        let mut lines = text.lines();
        let circumstances = lines.next().unwrap_or_default().to_owned();
        let operation = |line: &str| {
            let (count, name) = line.split_once(' ')?;
            Some((count.parse().ok()?, name.to_owned()))
        };
        let operations = lines.map(operation).collect::<Option<_>>();
        let operations =
            operations.ok_or_else(|| io::Error::other("a line is not a number, a blank and a name"))?;
        Ok(Self { circumstances, operations })
    }

    /// Whether figures that this counter gives now, of a program that this machine's compiler made, can be compared.
    #[must_use]
    pub fn is_comparable(&self, counter: Counter) -> bool {
        self.circumstances == circumstances(counter)
    }

    /// The operations that are guarded.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(|(_, name)| &**name)
    }

    /// What is wrong with so many instructions of an operation: a rise, or a fall that was not recorded.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    pub fn objection(&self, name: &str, instructions: f64) -> Option<String> {
        let (recorded, _) = self.operations.iter().find(|(_, recorded)| recorded == name)?;
        let percent = 100.0 * (instructions / *recorded as f64 - 1.0);
        (percent.abs() > ALLOWED).then(|| {
            format!(
                "{name}: {instructions:.0} instructions, {percent:+.1} % to the {recorded} that are recorded"
            )
        })
    }

    /// Records what these operations cost now, in place of what was.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn write(counter: Counter, operations: &[(f64, &str)]) -> io::Result<()> {
        let mut text = circumstances(counter) + "\n";
        for (instructions, name) in operations {
            text.push_str(&format!("{instructions:.0} {name}\n"));
        }
        fs::write(Self::path(), text)
    }
}

fn circumstances(counter: Counter) -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!("{}, {}, {}", counter.name(), version.unwrap_or_default(), env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_and_a_fall_are_told_of() {
        let operations = vec![(400, "a hit".to_owned())];
        let recorded = Recorded { circumstances: circumstances(Counter::Valgrind), operations };
        assert!(recorded.is_comparable(Counter::Valgrind) && !recorded.is_comparable(Counter::Perf));
        assert_eq!(recorded.objection("a hit", 411.0), None);
        assert_eq!(
            recorded.objection("a hit", 420.0).as_deref(),
            Some("a hit: 420 instructions, +5.0 % to the 400 that are recorded")
        );
        assert!(recorded.objection("a hit", 380.0).is_some());
        assert_eq!(recorded.objection("a miss", 420.0), None);
    }

    #[test]
    fn what_is_recorded_can_be_read() {
        assert!(Recorded::read().expect("the file is there").names().count() > 5);
    }
}
