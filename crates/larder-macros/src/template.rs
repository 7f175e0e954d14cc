//! Key templates: a string literal becomes segments with spans.

mod placeholder;
#[cfg(test)]
mod tests;

use std::ops::Range;

use proc_macro2::{Literal, Span};
use syn::LitStr;

use crate::errors::Errors;

pub(crate) use placeholder::{Digest, Placeholder, Step};

/// What a template is for; it decides where a `*` may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The key of one entry.
    Key,
    /// A key, or a prefix that ends in `:*`.
    Pattern {
        /// With a namespace in front, `*` alone means all of it.
        namespaced: bool,
    },
    /// The name of a tag.
    Tag,
}

/// A parsed template.
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
    /// It ended in `:*`; the segments end before the `*`.
    pub(crate) prefix: bool,
    /// `{name}` in the literal text, which is a mistake if `name` is an argument.
    pub(crate) braces: Vec<Braces>,
}

pub(crate) enum Segment {
    Literal(String),
    Placeholder(Placeholder),
}

/// `{name…}` in literal text.
pub(crate) struct Braces {
    pub(crate) root: String,
    /// What stands between the braces.
    pub(crate) inner: String,
    pub(crate) span: Span,
}

/// Where in the text something is wrong, and what.
type Mistake = (Range<usize>, String);

impl Template {
    /// Parses a literal; `None` (and errors) when it is not a template.
    pub(crate) fn parse(literal: &LitStr, purpose: Purpose, errors: &mut Errors) -> Option<Self> {
        let text = literal.value();
        let within = Within::new(literal, &text);
        let mut mistakes = Vec::new();
        let pieces = split(&text, &mut mistakes);
        let prefix = check_stars(&text, &pieces, purpose, &mut mistakes);
        check_separators(&text, &pieces, &mut mistakes);
        if text.is_empty() {
            mistakes.push((0..0, empty(purpose)));
        }

        let mut segments = Vec::new();
        let mut braces = Vec::new();
        for piece in &pieces {
            match piece {
                Piece::Literal(range) => {
                    let literal = &text[range.clone()];
                    braces.extend(find_braces(literal).map(|(at, root)| Braces {
                        root,
                        inner: literal[at.start + 1..at.end - 1].to_owned(),
                        span: within.span(range.start + at.start..range.start + at.end),
                    }));
                    let literal = match prefix && range.end == text.len() {
                        true => &literal[..literal.len() - 1],
                        false => literal,
                    };
                    if !literal.is_empty() {
                        segments.push(Segment::Literal(literal.to_owned()));
                    }
                }
                Piece::Placeholder(range) => {
                    let inner = range.start + 1..range.end - 1;
                    match Placeholder::parse(&text[inner], within.span(range.clone())) {
                        Ok(placeholder) => segments.push(Segment::Placeholder(placeholder)),
                        Err(message) => mistakes.push((range.clone(), message)),
                    }
                }
            }
        }

        let clean = mistakes.is_empty();
        mistakes.sort_by_key(|(range, _)| range.start);
        for (range, message) in mistakes {
            errors.push(within.span(range), message);
        }
        clean.then_some(Self { segments, prefix, braces })
    }
}

enum Piece {
    Literal(Range<usize>),
    /// With its `<` and `>`.
    Placeholder(Range<usize>),
}

/// Cuts the text at its placeholders.
fn split(text: &str, mistakes: &mut Vec<Mistake>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = 0;
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|found| at + found) {
        let Some(close) = closing(text, open) else {
            mistakes.push((
                open..text.len(),
                "unclosed `<`: a placeholder is written `<name>`; a literal `<` cannot stand in \
                 a key"
                    .to_owned(),
            ));
            return pieces;
        };
        if literal < open {
            pieces.push(Piece::Literal(literal..open));
        }
        pieces.push(Piece::Placeholder(open..close));
        literal = close;
        at = close;
    }
    if literal < text.len() {
        pieces.push(Piece::Literal(literal..text.len()));
    }
    pieces
}

/// The end of the placeholder that begins at `open`: nested angle brackets belong to it, so that
/// `<Vec<u8>>` is one mistake.
fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, character) in text[open..].char_indices() {
        match character {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(open + at + 1);
        }
    }
    // `a:<b:<c>`: the first one is unclosed, whatever follows.
    None
}

/// Whether the text ends in a `*` that stands where it may; every other `*` is a mistake.
fn check_stars(text: &str, pieces: &[Piece], purpose: Purpose, mistakes: &mut Vec<Mistake>) -> bool {
    let mut prefix = false;
    for piece in pieces {
        let Piece::Literal(range) = piece else {
            continue;
        };
        for (found, _) in text[range.clone()].match_indices('*') {
            let at = range.start + found;
            let last = at + 1 == text.len();
            let message = match purpose {
                Purpose::Pattern { namespaced } => {
                    if last && (text[..at].ends_with(':') || (at == 0 && namespaced)) {
                        prefix = true;
                        continue;
                    }
                    "`*` stands only at the end, after a `:` (`\"user:<id>:*\"`): to drop entries \
                     that no prefix gathers, give them a tag and list it in `tags = [\"…\"]`"
                }
                Purpose::Key => {
                    "a key names one entry and has no `*`: prefixes such as `\"user:*\"` belong \
                     in `#[invalidate]`; a star that is part of the key is written `%2A`"
                }
                Purpose::Tag => {
                    "a tag is an exact name and has no `*`: a star that is part of the name is \
                     written `%2A`"
                }
            };
            mistakes.push((at..at + 1, message.to_owned()));
        }
    }
    prefix
}

/// Between two placeholders stands a literal `:`: their texts are escaped, so it alone tells
/// where one ends and the next begins.
fn check_separators(text: &str, pieces: &[Piece], mistakes: &mut Vec<Mistake>) {
    let mut previous: Option<&Range<usize>> = None;
    for piece in pieces {
        let Piece::Placeholder(range) = piece else {
            continue;
        };
        if let Some(previous) = previous
            && !text[previous.end..range.start].contains(':')
        {
            mistakes.push((
                previous.start..range.end,
                format!(
                    "`{}` and `{}` need a literal `:` between them: without it, different \
                     arguments could give the same key",
                    &text[previous.clone()],
                    &text[range.clone()],
                ),
            ));
        }
        previous = Some(range);
    }
}

fn empty(purpose: Purpose) -> String {
    match purpose {
        Purpose::Key => {
            "the key is empty: write one such as `\"user:<id>\"`, or leave `key` out to have it \
             made from the function's path and arguments"
        }
        Purpose::Pattern { .. } => "the key is empty: name one such as `\"user:<id>\"` or `\"user:*\"`",
        Purpose::Tag => "the tag is empty: name one such as `\"org:<org>\"`",
    }
    .to_owned()
}

/// `{name}`, `{name.field}`, `{name:?}` in literal text, with the name they begin with.
fn find_braces(literal: &str) -> impl Iterator<Item = (Range<usize>, String)> {
    literal.match_indices('{').filter_map(|(open, _)| {
        let close = open + literal[open..].find('}')?;
        let inner = &literal[open + 1..close];
        let path = [":?", ":#?", ":md5", ":hash"]
            .iter()
            .find_map(|suffix| inner.strip_suffix(suffix))
            .unwrap_or(inner);
        let placeholder = Placeholder::parse(path, Span::call_site()).ok()?;
        placeholder.path.is_empty().then_some((open..close + 1, placeholder.root))
    })
}

/// Finds spans inside a string literal, where the compiler and the literal allow it.
struct Within {
    whole: Span,
    /// The literal's own text, if its characters stand in it one to one.
    plain: Option<Literal>,
}

impl Within {
    fn new(literal: &LitStr, text: &str) -> Self {
        let token = literal.token();
        let plain = token.to_string() == format!("\"{text}\"");
        Self { whole: literal.span(), plain: plain.then_some(token) }
    }

    fn span(&self, range: Range<usize>) -> Span {
        self.plain
            .as_ref()
            .and_then(|token| token.subspan(range.start + 1..range.end + 1))
            .unwrap_or(self.whole)
    }
}
