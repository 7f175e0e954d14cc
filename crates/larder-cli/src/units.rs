//! Numbers as people read them.

use std::time::Duration;

/// `1.5 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{number} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 key`, `1,234 keys`.
pub(crate) fn so_many(number: u64, [one, many]: [&str; 2]) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// So many in a second: `0`, `0.3`, `12.5`, `1,234`.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        ..0.05 => "0".to_owned(),
        ..99.95 => format!("{per_second:.1}"),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, rounded")]
        _ => count(per_second.round() as u64),
    }
}

/// `4m 12s`: the two largest units.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        86_400..315_360_000 => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
        // More than ten years.
        _ => "for ever".to_owned(),
    }
}

/// `2026-11-28T22:30:00.123Z`, of milliseconds since 1970.
pub(crate) fn time(milliseconds: u64) -> String {
    let (seconds, millis) = (milliseconds / 1_000, milliseconds % 1_000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The Gregorian date of a day since 1970: years begin in March, so that a leap day is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A key that can be printed: no terminal is controlled by what others wrote.
pub(crate) fn printable(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    let mut printable = String::with_capacity(text.len());
    for symbol in text.chars() {
        // Characters that turn the direction of text around them are as bad as those that control.
        let turns =
            matches!(symbol, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if symbol.is_control() || turns {
            printable.extend(symbol.escape_default());
        } else {
            printable.push(symbol);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases =
            [(0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (1_536, "1.5 KiB"), (1 << 20, "1.0 MiB")];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
    }

    #[test]
    fn counts() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn words_follow_their_number() {
        let keys = |number| so_many(number, ["key", "keys"]);
        assert_eq!([0, 1, 1_000].map(keys), ["0 keys", "1 key", "1,000 keys"]);
    }

    #[test]
    fn rates() {
        for (per_second, text) in [(0.0, "0"), (0.34, "0.3"), (12.5, "12.5"), (1_234.4, "1,234")] {
            assert_eq!(rate(per_second), text);
        }
    }

    #[test]
    fn durations() {
        let of = |millis| duration(Duration::from_millis(millis));
        assert_eq!(of(5), "5ms");
        assert_eq!(of(59_999), "59s");
        assert_eq!(of(252_000), "4m 12s");
        assert_eq!(of(7_500_000), "2h 5m");
        assert_eq!(of(90_000_000), "1d 1h");
        assert_eq!(of(u64::MAX), "for ever");
    }

    #[test]
    fn times() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(time(1_700_000_000_500), "2023-11-14T22:13:20.500Z");
        assert_eq!(time(1_709_251_200_000), "2024-03-01T00:00:00.000Z");
    }

    #[test]
    fn nothing_controls_the_terminal() {
        assert_eq!(printable(b"user:\x1b[2J\n"), "user:\\u{1b}[2J\\n");
        assert_eq!(printable("ü:\u{202e}x".as_bytes()), "ü:\\u{202e}x");
        assert_eq!(printable(b"\xff"), "\u{fffd}");
    }
}
