//! A rate: so many units in a period, and how many at once.

mod text;

use std::{fmt, str::FromStr, time::Duration};

/// How fast something may come: so many units in a period, and so many at once (the burst).
///
/// The burst is as large as the number of units unless it is set, so that `100/min` admits 100 at once and after that one
/// each 600 ms. In any stretch of time `w` no more than `burst + w × units / period` are admitted: after a pause, up to twice
/// the units in one period. `burst(1)` admits one at a time, evenly spaced.
///
/// As text: `100/min`, `10/s`, `5/15m`, `100/min burst 20`.
///
/// ```
/// use std::time::Duration;
/// use larder::limit::Rate;
///
/// let rate = Rate::per_minute(100).burst(20);
/// assert_eq!("100/min burst 20".parse(), Ok(rate));
/// assert_eq!(rate.interval(), Duration::from_millis(600));
/// assert_eq!("100 a minute".parse::<Rate>().unwrap_err().to_string(), "`100 a minute` is not a rate: write a number, \
///     `/` and a period, as in `100/min`, `10/s` or `5/15m`");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    units: u32,
    period: Duration,
    burst: u32,
}

/// Why something is no [`Rate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRate(String);

impl fmt::Display for InvalidRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidRate {}

/// The longest period, and the longest time for a whole burst to come back: about 100 years.
const LONGEST: u64 = 100 * 365 * 86_400;

impl Rate {
    /// So many in each second.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub const fn per_second(units: u32) -> Self {
        Self::per_seconds(units, 1)
    }

    /// So many in each minute.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub const fn per_minute(units: u32) -> Self {
        Self::per_seconds(units, 60)
    }

    /// So many in each hour.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub const fn per_hour(units: u32) -> Self {
        Self::per_seconds(units, 3_600)
    }

    /// So many in each day.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub const fn per_day(units: u32) -> Self {
        Self::per_seconds(units, 86_400)
    }

    const fn per_seconds(units: u32, seconds: u64) -> Self {
        Self::of_literal(units, seconds * 1_000)
    }

    /// One that was checked when it was compiled.
    pub(crate) const fn of_literal(units: u32, milliseconds: u64) -> Self {
        assert!(units > 0, "a rate of zero admits nothing");
        Self { units, period: Duration::from_millis(milliseconds), burst: units }
    }

    /// So many in each period, of whole milliseconds: for numbers that are not known before the program runs.
    ///
    /// # Errors
    ///
    /// If the number is zero, or the period is shorter than a millisecond, is not whole milliseconds, or is longer than 100
    /// years.
    pub fn new(units: u32, period: Duration) -> Result<Self, InvalidRate> {
        if units == 0 {
            return Err(InvalidRate("a rate of zero admits nothing: write one or more".into()));
        }
        if period < Duration::from_millis(1) || !period.subsec_nanos().is_multiple_of(1_000_000) {
            return Err(InvalidRate(format!("the period of a rate is whole milliseconds, not {period:?}")));
        }
        if period.as_secs() > LONGEST {
            return Err(InvalidRate(format!("the period of a rate is 100 years at most, not {period:?}")));
        }
        Ok(Self { units, period, burst: units })
    }

    /// How many may come at once: as many as there are units in a period unless this is called. No more count than come
    /// back within 100 years.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub const fn burst(mut self, units: u32) -> Self {
        assert!(units > 0, "a burst of zero admits nothing");
        self.burst = units;
        self
    }

    /// How many units there are in a period.
    #[must_use]
    pub const fn units(&self) -> u32 {
        self.units
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How many may come at once.
    #[must_use]
    pub const fn max_burst(&self) -> u32 {
        self.burst
    }

    /// What one unit takes to come back: a period divided by its units, rounded up to whole nanoseconds. Redis rounds it up
    /// to whole microseconds, which of 10,000 units a second and key loses one in a hundred at most, and of fewer less.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval_nanos())
    }

    #[expect(clippy::cast_possible_truncation, reason = "100 years of nanoseconds fit")]
    pub(crate) const fn interval_nanos(&self) -> u64 {
        (self.period.as_nanos() as u64).div_ceil(self.units as u64)
    }

    /// What the whole burst takes to come back.
    pub(crate) const fn capacity_nanos(&self) -> u64 {
        let interval = self.interval_nanos();
        let most = LONGEST * 1_000_000_000 / interval;
        interval * if (self.burst as u64) < most { self.burst as u64 } else { most }
    }

    /// Twice the units in the same time, and at once.
    pub(super) const fn twice_as_fast(&self) -> Self {
        Self { units: self.units.saturating_mul(2), burst: self.burst.saturating_mul(2), ..*self }
    }

    /// What tells this rate from all others, in the names of what is kept of it: units, the period in milliseconds, and the
    /// burst.
    #[cfg_attr(not(feature = "shared"), expect(dead_code, reason = "for a shared store"))]
    pub(crate) fn name(&self) -> String {
        format!("{}/{}/{}", self.units, self.period.as_millis(), self.burst)
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let text::Parts { units, period, burst } = text::parse(text).map_err(InvalidRate)?;
        let rate = Self::new(units, period)?;
        Ok(burst.map_or(rate, |burst| rate.burst(burst)))
    }
}

impl fmt::Display for Rate {
    /// As it is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.period.as_millis();
        write!(f, "{}/", self.units)?;
        match milliseconds {
            1_000 => f.write_str("s")?,
            60_000 => f.write_str("min")?,
            3_600_000 => f.write_str("h")?,
            86_400_000 => f.write_str("d")?,
            _ if milliseconds.is_multiple_of(1_000) => write!(f, "{}s", milliseconds / 1_000)?,
            _ => write!(f, "{milliseconds}ms")?,
        }
        if self.burst == self.units { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}
