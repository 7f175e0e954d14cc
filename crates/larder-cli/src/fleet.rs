//! What processes publish of themselves (`larder::heartbeat`), summed up.

use std::{cmp::Reverse, collections::HashMap};

use larder::internal::inspect::{Beat, Counts, Inspector};
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    table::{Align, Rows},
    units,
};

/// For how long no invalidation of a process was delivered, while some wait, before that is a trouble.
const STALLED_MS: u64 = 5_000;

/// The processes that were heard of lately.
#[derive(Debug, Default)]
pub(crate) struct Fleet(pub(crate) Vec<Beat>);

/// How often something is done in a second.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    pub(crate) reads: f64,
    pub(crate) computed: f64,
    pub(crate) failed: f64,
    pub(crate) not_stored: f64,
    pub(crate) evicted: f64,
    found: f64,
}

/// A function in a namespace, in all processes.
#[derive(Debug, Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) rates: Rates,
    pub(crate) total: Counts,
    /// The slowest process'.
    pub(crate) p99_us: u64,
}

impl Rates {
    fn of(counts: &Counts, window_ms: u64) -> Self {
        let per_second = |count: u64| count as f64 * 1_000.0 / window_ms.max(1) as f64;
        Self {
            reads: per_second(counts.reads()),
            computed: per_second(counts.computed),
            failed: per_second(counts.failed),
            not_stored: per_second(counts.not_stored),
            evicted: per_second(counts.evicted),
            found: per_second(counts.reads() - counts.misses),
        }
    }

    fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        self.computed += other.computed;
        self.failed += other.failed;
        self.not_stored += other.not_stored;
        self.evicted += other.evicted;
        self.found += other.found;
    }

    /// The share of reads that were found; none without reads.
    pub(crate) fn hit_ratio(&self) -> Option<f64> {
        (self.reads > 0.0).then(|| self.found / self.reads)
    }
}

impl Fleet {
    pub(crate) async fn read(inspector: &Inspector) -> Result<Self, Failure> {
        let mut beats = inspector.heartbeats().await?;
        beats.sort_by(|one, other| (&one.name, &one.process).cmp(&(&other.name, &other.process)));
        Ok(Self(beats))
    }

    /// What is done in all of them.
    pub(crate) fn rates(&self) -> Rates {
        let mut sum = Rates::default();
        self.0.iter().for_each(|beat| sum.add(&of_process(beat)));
        sum
    }

    /// By function and namespace, the busiest first.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut functions: HashMap<(&str, &str), Function> = HashMap::new();
        for beat in &self.0 {
            for of in &beat.functions {
                let sum = functions.entry((&of.function, &of.namespace)).or_default();
                sum.rates.add(&Rates::of(&of.recent, beat.window_ms));
                sum.total.add(&of.total);
                sum.p99_us = sum.p99_us.max(of.p99_us);
            }
        }
        let named = |((name, namespace), of): ((&str, &str), Function)| Function {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            ..of
        };
        let mut functions: Vec<_> = functions.into_iter().map(named).collect();
        functions.sort_by(|one, other| {
            let busy = |of: &Function| of.rates.reads + of.rates.computed;
            let by_total = Reverse(one.total.reads()).cmp(&Reverse(other.total.reads()));
            busy(other).total_cmp(&busy(one)).then(by_total).then_with(|| one.name.cmp(&other.name))
        });
        functions
    }

    /// The keys that are hit most, with about how often in a second, and in how many processes.
    pub(crate) fn hot(&self) -> Vec<(String, f64, usize)> {
        let mut keys: HashMap<&str, (f64, usize)> = HashMap::new();
        for beat in &self.0 {
            for hot in beat.hot.iter().flatten() {
                let (rate, processes) = keys.entry(&hot.key).or_default();
                *rate += hot.hits as f64 * 1_000.0 / beat.window_ms.max(1) as f64;
                *processes += 1;
            }
        }
        let mut keys: Vec<_> =
            keys.into_iter().map(|(key, (rate, processes))| (key.to_owned(), rate, processes)).collect();
        keys.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        keys
    }

    /// A table of the processes.
    pub(crate) fn process_rows(&self) -> Rows {
        use Align::{Left, Right};
        let head = ["NAME", "PROCESS", "UP", "READS/S", "FOUND", "COMPUTED/S", "ENTRIES", "LAG", ""];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for beat in &self.0 {
            let rates = of_process(beat);
            rows.push(vec![
                units::printable(name(beat).as_bytes()),
                units::printable(beat.process.as_bytes()),
                units::duration(std::time::Duration::from_millis(beat.up_ms)),
                units::rate(rates.reads),
                ratio(rates.hit_ratio()),
                units::rate(rates.computed),
                units::count(beat.entries),
                beat.log
                    .lag_ms
                    .map_or_else(|| "no contact".to_owned(), |lag| format!("{:.1}s", lag as f64 / 1e3)),
                units::printable(troubles(beat).join(", ").as_bytes()),
            ]);
        }
        Rows { columns: vec![Left, Left, Right, Right, Right, Right, Right, Right, Left], rows }
    }

    /// A table of the functions.
    pub(crate) fn function_rows(&self, most: usize) -> Rows {
        use Align::{Left, Right};
        let head = ["READS/S", "FOUND", "EVER", "COMPUTED/S", "FAILED/S", "P99", "NOT STORED/S", "FUNCTION"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for of in self.functions().into_iter().take(most) {
            rows.push(vec![
                units::rate(of.rates.reads),
                ratio(of.rates.hit_ratio()),
                ratio(of.total.hit_ratio()),
                units::rate(of.rates.computed),
                units::rate(of.rates.failed),
                match of.p99_us {
                    0 => "-".to_owned(),
                    micros => format!("{:.1}ms", micros as f64 / 1e3),
                },
                units::rate(of.rates.not_stored),
                units::printable(of.label().as_bytes()),
            ]);
        }
        Rows { columns: vec![Right, Right, Right, Right, Right, Right, Right, Left], rows }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "processes": self.0.iter().map(|beat| {
                let rates = of_process(beat);
                json!({
                    "name": name(beat), "process": beat.process, "cache": beat.cache, "pid": beat.pid,
                    "version": beat.version, "at": units::time(beat.at_ms), "up_ms": beat.up_ms,
                    "enabled": beat.enabled, "entries": beat.entries, "weight": beat.weight,
                    "reads_per_second": rates.reads, "hit_ratio": rates.hit_ratio(),
                    "computed_per_second": rates.computed, "failed_per_second": rates.failed,
                    "evicted_per_second": rates.evicted,
                    "lag_ms": beat.log.lag_ms, "waiting": beat.log.waiting,
                    "stalled_ms": beat.log.stalled_ms, "restarts": beat.log.restarts,
                    "troubles": troubles(beat),
                })
            }).collect::<Vec<_>>(),
            "functions": self.functions().iter().map(|of| json!({
                "function": of.name, "namespace": of.namespace,
                "reads_per_second": of.rates.reads, "hit_ratio": of.rates.hit_ratio(),
                "hit_ratio_ever": of.total.hit_ratio(), "computed_per_second": of.rates.computed,
                "failed_per_second": of.rates.failed, "not_stored_per_second": of.rates.not_stored,
                "p99_us": of.p99_us, "total": of.total,
            })).collect::<Vec<_>>(),
        })
    }
}

impl Function {
    fn label(&self) -> String {
        let name = if self.name.is_empty() { "(by hand)" } else { &self.name };
        match self.namespace.as_str() {
            "" => name.to_owned(),
            namespace => format!("{name} in {namespace}"),
        }
    }
}

/// What people call a process.
fn name(beat: &Beat) -> String {
    let name = if beat.name.is_empty() { format!("pid {}", beat.pid) } else { beat.name.clone() };
    match beat.cache.as_str() {
        "" | "global" => name,
        cache => format!("{name} ({cache})"),
    }
}

/// What is wrong with it.
fn troubles(beat: &Beat) -> Vec<String> {
    let mut troubles = Vec::new();
    if !beat.enabled {
        troubles.push("disabled".to_owned());
    }
    if beat.log.stalled_ms > STALLED_MS {
        let (waiting, seconds) = (units::count(beat.log.waiting), beat.log.stalled_ms / 1_000);
        troubles.push(format!("{waiting} invalidations wait, none delivered for {seconds}s"));
    }
    troubles.extend(beat.log.refused.iter().map(|what| format!("refused: {what}")));
    troubles.extend(beat.not_shared.iter().map(|what| format!("not shared: {what}")));
    troubles
}

fn of_process(beat: &Beat) -> Rates {
    let mut sum = Rates::default();
    beat.functions.iter().for_each(|of| sum.add(&Rates::of(&of.recent, beat.window_ms)));
    sum
}

/// `97.3 %`. What is not all is never rounded to all.
pub(crate) fn ratio(ratio: Option<f64>) -> String {
    match ratio {
        None => "-".to_owned(),
        Some(ratio) if ratio < 1.0 => format!("{:.1} %", (ratio * 100.0).min(99.9)),
        Some(_) => "100.0 %".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(process: &str, window_ms: u64, hits: u64, misses: u64) -> Beat {
        let recent = format!(r#"{{"hits":{hits},"misses":{misses}}}"#);
        let text = format!(
            r#"{{"process":"{process}","window_ms":{window_ms},"enabled":true,"of a later release":1,
                "functions":[{{"function":"f","recent":{recent},"total":{recent}}}],
                "hot":[{{"key":"k","hits":{hits}}}]}}"#
        );
        serde_json::from_str(&text).expect("it is a beat")
    }

    #[test]
    fn processes_are_added_up_each_by_its_own_window() {
        let fleet = Fleet(vec![beat("a", 1_000, 90, 10), beat("b", 10_000, 1_000, 0)]);
        let of = &fleet.functions()[0];
        assert_eq!((of.rates.reads, of.rates.hit_ratio()), (200.0, Some(0.95)));
        assert_eq!(of.total.reads(), 1_100);
        assert_eq!(fleet.hot(), [("k".to_owned(), 190.0, 2)]);
    }

    /// Each figure stands below its name.
    #[test]
    fn columns_have_what_they_are_called() {
        let text = r#"{"process":"00ff","name":"web","window_ms":10000,"up_ms":61000,"enabled":true,"entries":41,
            "log":{"lag_ms":1500},"functions":[{"function":"shop::user","namespace":"eu","p99_us":2500,
            "recent":{"hits":500,"further":200,"stale":100,"misses":200,"computed":170,"failed":30,"not_stored":20},
            "total":{"hits":1000,"misses":3000}}]}"#;
        let fleet = Fleet(vec![serde_json::from_str(text).expect("it is a beat")]);
        let named = |table: Rows| -> Vec<String> {
            let [head, row] = <[_; 2]>::try_from(table.rows).expect("a head and a row");
            head.iter().zip(row).map(|(name, cell)| format!("{name} {cell}")).collect()
        };
        assert_eq!(
            named(fleet.process_rows()),
            [
                "NAME web",
                "PROCESS 00ff",
                "UP 1m 1s",
                "READS/S 100",
                "FOUND 80.0 %",
                "COMPUTED/S 17.0",
                "ENTRIES 41",
                "LAG 1.5s",
                " "
            ]
        );
        assert_eq!(
            named(fleet.function_rows(9)),
            [
                "READS/S 100",
                "FOUND 80.0 %",
                "EVER 25.0 %",
                "COMPUTED/S 17.0",
                "FAILED/S 3.0",
                "P99 2.5ms",
                "NOT STORED/S 2.0",
                "FUNCTION shop::user in eu"
            ]
        );
    }

    /// What a process says of itself controls no terminal.
    #[test]
    fn what_others_wrote_is_printed_escaped() {
        let text = r#"{"process":"\u001b[2J","name":"\u001b]0;x","enabled":true,"log":{"refused":["\u001b[31m"]},
            "not_shared":["\u202e"],"functions":[{"function":"\u001b[1m","namespace":"\u009b"}]}"#;
        let fleet = Fleet(vec![serde_json::from_str(text).expect("it is a beat")]);
        let rows = [fleet.process_rows().rows, fleet.function_rows(9).rows].concat().concat().concat();
        assert!(rows.contains("\\u{1b}[31m") && rows.contains("\\u{1b}[2J"), "{rows}");
        assert!(!rows.contains(|symbol: char| symbol.is_control() || symbol == '\u{202e}'), "{rows}");
    }

    #[test]
    fn what_is_not_all_is_not_rounded_to_all() {
        for (of, text) in
            [(None, "-"), (Some(0.5), "50.0 %"), (Some(0.999_99), "99.9 %"), (Some(1.0), "100.0 %")]
        {
            assert_eq!(ratio(of), text);
        }
    }

    #[test]
    fn invalidations_on_their_way_are_no_trouble() {
        let troubles = |log: &str| {
            let text = format!(r#"{{"process":"a","enabled":true,"log":{log}}}"#);
            troubles(&serde_json::from_str(&text).expect("it is a beat"))
        };
        assert_eq!(troubles(r#"{"waiting":4,"stalled_ms":19}"#), [""; 0]);
        assert_eq!(
            troubles(r#"{"waiting":4,"stalled_ms":61000}"#),
            ["4 invalidations wait, none delivered for 61s"]
        );
    }
}
