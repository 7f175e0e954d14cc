//! The list syntax of headers: members separated by commas, with quoted strings in them (RFC 9110, section 5.6).

use std::ops::Range;

/// The meaning of a backslash inside of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backslash {
    /// It escapes the next character: in a quoted string (RFC 9110, section 5.6.4).
    Escapes,
    /// It is a character like any other: in an entity tag (section 8.8.3).
    Literal,
}

/// The members of a list, trimmed, without empty ones.
pub(crate) fn members(line: &str) -> impl Iterator<Item = &str> {
    let ranges = ranges(line.as_bytes(), b",", Backslash::Escapes);
    ranges.map(|range| line[range].trim_matches([' ', '\t'])).filter(|member| !member.is_empty())
}

/// The parts of a line between any of the separators, trimmed. The line need not be text.
pub(crate) fn split<'a>(
    line: &'a [u8],
    separators: &'static [u8],
    backslash: Backslash,
) -> impl Iterator<Item = &'a [u8]> {
    ranges(line, separators, backslash).map(|range| line[range].trim_ascii())
}

/// The ranges between separators. A separator inside of quotes does not count. A quote that is never closed is an
/// ordinary character, so that it cannot hide what follows. After the first such quote none that follows can be closed:
/// to search for that at each of them would take quadratic time on a hostile line.
fn ranges(
    line: &[u8],
    separators: &'static [u8],
    backslash: Backslash,
) -> impl Iterator<Item = Range<usize>> {
    let mut from = Some(0);
    let mut closes = true;
    std::iter::from_fn(move || {
        let start = from?;
        let mut at = start;
        while let Some(&byte) = line.get(at) {
            match byte {
                b'"' if closes => match end_of_quotes(line, at, backslash) {
                    Some(end) => at = end,
                    None => closes = false,
                },
                byte if separators.contains(&byte) => break,
                _ => at += 1,
            }
        }
        from = (at < line.len()).then_some(at + 1);
        Some(start..at)
    })
}

/// The position after the closing quote of the quoted string that begins at `from`.
fn end_of_quotes(line: &[u8], from: usize, backslash: Backslash) -> Option<usize> {
    let mut at = from + 1;
    loop {
        match line.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if backslash == Backslash::Escapes => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_not_separated() {
        let all = |line| members(line).collect::<Vec<_>>();
        assert_eq!(all(r#" a , b="c, d" ,, e"#), ["a", r#"b="c, d""#, "e"]);
        assert_eq!(all(r#"a="b\", c", d"#), [r#"a="b\", c""#, "d"]);
        assert_eq!(all(r#"a="b, c"#), [r#"a="b"#, "c"]);
        assert_eq!(all(""), [""; 0]);
    }

    #[test]
    fn quotes_that_are_not_closed_are_looked_at_once() {
        let line = "\"\\".repeat(1_000_000);
        assert_eq!(members(&line).count(), 1);
    }

    #[test]
    fn a_backslash_in_a_tag_is_itself() {
        let tags: Vec<_> = split(br#""a\", "b,c""#, b",", Backslash::Literal).collect();
        assert_eq!(tags, [&br#""a\""#[..], br#""b,c""#]);
    }
}
