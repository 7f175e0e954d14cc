//! What an exporter has seen of each series of a cache's name. A counter only grows: an exporter takes one that falls for a process that
//! began anew, and OpenTelemetry's SDK subtracts what it saw before without a look.

use std::collections::HashMap;

use super::{
    Figure, Instrument,
    figures::{Labels, OwnedLabels},
};

/// Of how many gauges of a name it is remembered that they had a figure: an exporter shows the last one for ever, also of a
/// server that was replaced.
const MOST_GONE: usize = 256;

/// The series of one name, whichever caches had it.
#[derive(Default)]
pub(super) struct Series {
    /// Whose figures are taken.
    watched: u64,
    by_labels: HashMap<String, Told>,
}

struct Told {
    instrument: &'static Instrument,
    labels: OwnedLabels,
    /// Of a counter, the highest value so far.
    highest: Option<u64>,
    /// Of these, what caches counted that had the name before.
    before: u64,
    /// The last round with a figure.
    round: u64,
}

impl Series {
    /// A cache has the name from now on: counters go on from where they are. Later ones have higher numbers.
    pub(super) fn pass_to(&mut self, watched: u64) {
        if watched < self.watched {
            return;
        }
        self.watched = watched;
        self.by_labels.values_mut().for_each(|told| told.before = told.highest.unwrap_or(0));
    }

    /// What to export of a figure of this round, which is none of a cache that has lost the name.
    pub(super) fn tell(
        &mut self,
        (watched, round): (u64, u64),
        instrument: &'static Instrument,
        labels: &Labels<'_>,
        figure: Figure,
    ) -> Option<Figure> {
        if watched != self.watched {
            return None;
        }
        let name = name(instrument, labels);
        let told = self.by_labels.entry(name).or_insert_with(|| Told {
            instrument,
            labels: labels.iter().map(|(label, value)| (*label, (*value).to_owned())).collect(),
            highest: None,
            before: 0,
            round,
        });
        told.round = told.round.max(round);
        let Figure::Count(count) = figure else { return Some(figure) };
        let highest = told.highest.unwrap_or(0).max(told.before.saturating_add(count));
        told.highest = Some(highest);
        Some(Figure::Count(highest))
    }

    /// What to export of all others: counters stay, and gauges are gone.
    pub(super) fn rest(&mut self, round: u64) -> Vec<(&'static Instrument, OwnedLabels, Figure)> {
        let is_rest = |told: &&Told| told.round < round;
        let mut gone: Vec<u64> = self
            .by_labels
            .values()
            .filter(|told| told.highest.is_none())
            .filter(is_rest)
            .map(|told| told.round)
            .collect();
        gone.sort_unstable_by(|one, other| other.cmp(one));
        if let Some(oldest) = gone.get(MOST_GONE) {
            self.by_labels.retain(|_, told| told.highest.is_some() || told.round > *oldest);
        }
        let rest = self.by_labels.values().filter(is_rest);
        rest.map(|told| {
            (told.instrument, told.labels.clone(), told.highest.map_or(Figure::Gone, Figure::Count))
        })
        .collect()
    }
}

/// Of a series. Labels of one instrument have the same order each time.
fn name(instrument: &Instrument, labels: &Labels<'_>) -> String {
    let mut name = instrument.name.to_owned();
    for (label, value) in labels {
        for part in [label, value] {
            name.push('\0');
            name.push_str(part);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruments::{GETS, REDIS_UP};

    fn first() -> Series {
        let mut series = Series::default();
        series.pass_to(1);
        series
    }

    fn up(series: &mut Series, round: u64, server: &str) {
        series.tell((1, round), &REDIS_UP, &[("server", server)], Figure::Gauge(1.0));
    }

    #[test]
    fn a_counter_never_falls_and_goes_on_with_another_cache() {
        let mut series = first();
        let labels = [("cache", "a"), ("result", "miss")];
        let tell =
            |series: &mut Series, of, count| series.tell((of, 1), &GETS, &labels, Figure::Count(count));
        assert_eq!(tell(&mut series, 1, 5), Some(Figure::Count(5)));
        assert_eq!(tell(&mut series, 1, 3), Some(Figure::Count(5)));
        assert_eq!(tell(&mut series, 1, 6), Some(Figure::Count(6)));
        series.pass_to(2);
        assert_eq!(tell(&mut series, 2, 0), Some(Figure::Count(6)));
        assert_eq!(tell(&mut series, 2, 2), Some(Figure::Count(8)));
        assert_eq!(tell(&mut series, 1, 9), None, "it has lost the name");
    }

    #[test]
    fn what_has_no_figure_any_longer_stays_or_is_gone() {
        let mut series = first();
        series.tell((1, 1), &GETS, &[], Figure::Count(5));
        up(&mut series, 1, "one");
        assert_eq!(series.rest(1).len(), 0);
        let mut rest = series.rest(2);
        rest.sort_by_key(|(instrument, ..)| instrument.name);
        let rest: Vec<_> = rest.iter().map(|(instrument, _, figure)| (instrument.name, *figure)).collect();
        assert_eq!(rest, [(GETS.name, Figure::Count(5)), (REDIS_UP.name, Figure::Gone)]);
        up(&mut series, 3, "one");
        assert_eq!(series.rest(3).len(), 1, "it is back");
    }

    #[test]
    fn of_many_gauges_that_are_gone_the_last_ones_are_remembered() {
        let mut series = first();
        for round in 1..=1_000 {
            up(&mut series, round, &format!("server-{round}"));
            assert!(series.rest(round).len() <= MOST_GONE);
        }
        assert!(series.by_labels.len() <= MOST_GONE + 1);
        let rest = series.rest(1_001);
        assert!(rest.iter().any(|(_, labels, _)| labels[0].1 == "server-999"));
    }
}
