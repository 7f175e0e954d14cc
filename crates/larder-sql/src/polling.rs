//! How often a log is looked at that does not say when there is news.

use std::time::Duration;

/// Often after news, and less often from look to look.
#[derive(Debug)]
pub(crate) struct Polling {
    pause: Duration,
}

impl Default for Polling {
    fn default() -> Self {
        Self { pause: Self::SHORTEST }
    }
}

impl Polling {
    const SHORTEST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_millis(10);

    /// The log was read.
    pub(crate) fn read(&mut self, has_news: bool) {
        if has_news {
            self.pause = Self::SHORTEST;
        }
    }

    /// How long to pause before the next look.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause + pause / 16).min(Self::LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_less_often_while_there_is_nothing() {
        let mut polling = Polling::default();
        let pauses: Vec<_> = (0..100).map(|_| polling.pause()).collect();
        assert!(pauses.is_sorted() && pauses[0] == Polling::SHORTEST && pauses[99] == Polling::LONGEST);
        polling.read(false);
        assert_eq!(polling.pause(), Polling::LONGEST);
        polling.read(true);
        assert_eq!(polling.pause(), Polling::SHORTEST);
    }
}
