//! A rate as text. `larder-macros` reads the same grammar at compile time.

use std::time::Duration;

const UNITS: &[(&[&str], u64)] = &[
    (&["ms"], 1),
    (&["s", "sec", "second"], 1_000),
    (&["m", "min", "minute"], 60_000),
    (&["h", "hour"], 3_600_000),
    (&["d", "day"], 86_400_000),
];

/// What a text says of a rate. The burst is not zero.
pub(super) struct Parts {
    pub(super) units: u32,
    pub(super) period: Duration,
    pub(super) burst: Option<u32>,
}

/// `100/min`, `5/15m`, `100/min burst 20`
pub(super) fn parse(text: &str) -> Result<Parts, String> {
    let no_rate = || {
        format!(
            "`{text}` is not a rate: write a number, `/` and a period, as in `100/min`, `10/s` or `5/15m`"
        )
    };
    let (units, rest) = text.split_once('/').ok_or_else(no_rate)?;
    let (period, burst) = match rest.split_once("burst") {
        Some((period, burst)) => (period, Some(burst)),
        None => (rest, None),
    };
    let units = number(units.trim()).ok_or_else(no_rate)?;
    let period = duration(period.trim()).map_err(|unit| match unit {
        Some(unit) => format!(
            "`{unit}` in `{text}` is not a unit of time: there are `ms`, `s` (`sec`, `second`), `m` (`min`, `minute`), \
             `h` (`hour`) and `d` (`day`)"
        ),
        None => no_rate(),
    })?;
    let burst = match burst.map(|burst| number(burst.trim())) {
        None => None,
        Some(Some(0)) => return Err("a burst of zero admits nothing: write one or more".to_owned()),
        Some(Some(burst)) => Some(burst),
        Some(None) => {
            return Err(format!(
                "`{text}` has a burst that is no number: write how many may come at once, as in `100/min burst 20`"
            ));
        }
    };
    Ok(Parts { units, period, burst })
}

fn number(text: &str) -> Option<u32> {
    // `parse` takes a sign too.
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// `min`, or `15m`. The error is the unit, if that is what is wrong.
fn duration(text: &str) -> Result<Duration, Option<&str>> {
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let digits = &text[..text.len() - unit.len()];
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Err(None);
    }
    let Some((_, milliseconds)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) else {
        return Err(Some(unit));
    };
    let count = if digits.is_empty() { Some(1) } else { digits.parse::<u64>().ok() };
    count.and_then(|count| count.checked_mul(*milliseconds)).map(Duration::from_millis).ok_or(None)
}
