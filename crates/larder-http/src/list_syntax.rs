//! Lists in header fields: members with commas between them, and what is quoted in them.

use std::ops::Range;

/// What a backslash means inside of quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backslash {
    /// The next character is itself, a quote too: in a quoted string (RFC 9110, section 5.6.4).
    Escapes,
    /// Nothing: in an entity tag (section 8.8.3).
    IsItself,
}

/// The members of a list of tokens and quoted strings, trimmed, without empty ones.
pub(crate) fn members(line: &str) -> impl Iterator<Item = &str> {
    let ranges = ranges(line.as_bytes(), b",", Backslash::Escapes);
    ranges.map(|range| line[range].trim_matches([' ', '\t'])).filter(|member| !member.is_empty())
}

/// What stands between separators, trimmed: it need not be text.
pub(crate) fn split<'a>(
    line: &'a [u8],
    separators: &'static [u8],
    backslash: Backslash,
) -> impl Iterator<Item = &'a [u8]> {
    ranges(line, separators, backslash).map(|range| line[range].trim_ascii())
}

/// Where the parts are between separators. One inside of quotes separates nothing; a quote that is not closed
/// is no quote, so that it hides nothing that follows. Once there is one, none that follows can be closed: looking
/// for that at each of them would take a hostile line's length squared.
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

/// Where what is quoted ends that begins with the quote at `from`: past its closing quote.
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
        let tags: Vec<_> = split(br#""a\", "b,c""#, b",", Backslash::IsItself).collect();
        assert_eq!(tags, [&br#""a\""#[..], br#""b,c""#]);
    }
}
