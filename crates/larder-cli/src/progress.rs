//! How far it is, where a person looks on.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::{table::first_fitting, terminal, units};

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// The length of the bar.
const BAR: usize = 24;

/// A line on the standard error that is drawn again and again; nothing where that is no terminal.
pub(crate) struct Progress {
    is_shown: bool,
    began: Instant,
    drawn: Option<Instant>,
    /// What is counted.
    noun: &'static str,
    /// How many there were before it began.
    before: u64,
}

impl Progress {
    pub(crate) fn new(noun: &'static str, before: u64) -> Self {
        Self { is_shown: io::stderr().is_terminal(), began: Instant::now(), drawn: None, noun, before }
    }

    /// So many are done: that part of all, if that is known.
    pub(crate) fn show(&mut self, count: u64, part: Option<f64>) {
        if !self.is_shown || self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        // One line: of one that is wrapped, only the last part would be erased. The last column stays empty.
        let room = terminal::columns_of_notes().saturating_sub(1);
        let text = self.picture(count, part, self.began.elapsed(), room);
        let mut stderr = io::stderr().lock();
        _ = write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush());
    }

    fn picture(&self, count: u64, part: Option<f64>, took: Duration, room: usize) -> String {
        let seconds = took.as_secs_f64().max(0.001);
        let rate = units::rate((count - self.before) as f64 / seconds);
        let (count, noun) = (units::count(count), self.noun);
        let Some(part) = part.map(|part| part.clamp(0.0, 1.0)) else {
            return first_fitting([format!("{count} {noun}  {rate}/s"), count], room);
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a short bar")]
        let full = (part * BAR as f64) as usize;
        let bar = "#".repeat(full) + &".".repeat(BAR - full);
        // At the very beginning there is nothing to tell it by.
        let left = match Duration::try_from_secs_f64(seconds * (1.0 - part) / part) {
            Ok(left) if left.as_secs() > 0 => {
                format!("  {} left", units::duration(Duration::from_secs(left.as_secs())))
            }
            _ => String::new(),
        };
        let percent = format!("{:3.0} %", part * 100.0);
        let ways = [
            format!("[{bar}] {percent}  {count} {noun}  {rate}/s{left}"),
            format!("{percent}  {count} {noun}  {rate}/s{left}"),
            format!("{percent}  {count} {noun}{left}"),
            format!("{percent}{left}"),
            percent,
        ];
        first_fitting(ways, room)
    }

    /// Nothing is left of it.
    pub(crate) fn end(&mut self) {
        if self.drawn.take().is_some() {
            _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture() {
        let progress = Progress::new("lines", 500);
        let half = progress.picture(1_500, Some(0.5), Duration::from_secs(2), 80);
        assert_eq!(half, "[############............]  50 %  1,500 lines  500/s  2s left");
        assert_eq!(progress.picture(507, None, Duration::from_secs(1), 80), "507 lines  7.0/s");
        let begun = progress.picture(500, Some(0.0), Duration::ZERO, 80);
        assert_eq!(begun, "[........................]   0 %  500 lines  0/s");
    }

    /// Whatever the width, it is one line.
    #[test]
    fn a_picture_where_there_is_little_room() {
        let progress = Progress::new("lines", 0);
        let at = |room| progress.picture(150_000, Some(0.5), Duration::from_secs(12), room);
        assert_eq!(at(40), " 50 %  150,000 lines  12,500/s  12s left");
        assert_eq!(at(39), " 50 %  150,000 lines  12s left");
        assert_eq!(at(20), " 50 %  12s left");
        assert_eq!(at(5), " 50 %");
        for room in 5..80 {
            assert!(at(room).len() <= room, "{room}: {}", at(room));
        }
    }
}
