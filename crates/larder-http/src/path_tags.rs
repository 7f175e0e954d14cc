//! Tags that follow from the path of a request.

/// A path with placeholders, and the tag that follows from it: `/users/<id>` and `user:<id>`.
#[derive(Debug, Clone)]
pub(crate) struct TagTemplate {
    path: Vec<Part>,
    /// Whether any segments may follow.
    open: bool,
    tag: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Name(String),
}

impl TagTemplate {
    /// # Panics
    ///
    /// If `tag` has a placeholder that `path` does not have.
    pub(crate) fn new(path: &str, tag: &str) -> Self {
        let mut parts: Vec<_> = segments(without_slash(path)).map(part).collect();
        let open = parts.last() == Some(&Part::Literal("*".into()));
        if open {
            parts.pop();
        }
        let tag = placeholders(tag);
        for part in &tag {
            let Part::Name(name) = part else { continue };
            assert!(parts.contains(part), "the tag names `<{name}>`, which is not in the path `{path}`");
        }
        Self { path: parts, open, tag }
    }

    /// The tag of a path; none if the path does not match.
    pub(crate) fn tag(&self, path: &str) -> Option<String> {
        let given: Vec<_> = segments(without_slash(path)).collect();
        if given.len() < self.path.len() || (given.len() > self.path.len() && !self.open) {
            return None;
        }
        let mut names = Vec::new();
        for (part, given) in self.path.iter().zip(given) {
            let given = decoded(given);
            match part {
                Part::Literal(literal) if *literal != given => return None,
                Part::Literal(_) => {}
                Part::Name(name) => names.push((name, given)),
            }
        }
        let texts = self.tag.iter().filter_map(|part| match part {
            Part::Literal(literal) => Some(literal.as_str()),
            Part::Name(name) => {
                names.iter().find(|(known, _)| *known == name).map(|(_, given)| given.as_str())
            }
        });
        Some(texts.collect())
    }
}

/// A path without a slash at its end, which an unsafe request does not count either.
fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn part(segment: &str) -> Part {
    match segment.strip_prefix('<').and_then(|segment| segment.strip_suffix('>')) {
        Some(name) => Part::Name(name.to_owned()),
        None => Part::Literal(segment.to_owned()),
    }
}

/// Splits a text into literals and placeholders.
fn placeholders(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, (name, after))) =
        rest.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
    {
        parts.push(Part::Literal(before.to_owned()));
        parts.push(Part::Name(name.to_owned()));
        rest = after;
    }
    parts.push(Part::Literal(rest.to_owned()));
    parts
}

/// The percent-decoded segment; as it is if that is not UTF-8.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let encoded = digits
            .filter(|digits| first == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(encoded.unwrap_or(first));
        rest = if encoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| segment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_matches_has_a_tag() {
        let template = TagTemplate::new("/users/<id>/posts/<post>", "posts:<id>/<post>!");
        assert_eq!(template.tag("/users/7/posts/a%20b"), Some("posts:7/a b!".into()));
        assert_eq!(template.tag("/users/7/posts"), None);
        assert_eq!(template.tag("/users/7/posts/1/2"), None);
        assert_eq!(template.tag("/people/7/posts/1"), None);
    }

    #[test]
    fn a_star_matches_any_segments() {
        let template = TagTemplate::new("/users/<id>/*", "user:<id>");
        assert_eq!(template.tag("/users/7/posts/1"), Some("user:7".into()));
        assert_eq!(template.tag("/users/7"), Some("user:7".into()));
        assert_eq!(template.tag("/users"), None);
    }

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        for path in ["/users/<id>", "/users/<id>/"] {
            let template = TagTemplate::new(path, "user:<id>");
            assert_eq!(template.tag("/users/7/"), Some("user:7".into()), "{path}");
            assert_eq!(template.tag("/users/7"), Some("user:7".into()), "{path}");
            assert_eq!(template.tag("/users/7//"), None, "{path}");
        }
        assert_eq!(TagTemplate::new("/", "home").tag("/"), Some("home".into()));
        assert_eq!(TagTemplate::new("/", "home").tag("/users"), None);
    }

    #[test]
    #[should_panic(expected = "which is not in the path")]
    fn a_placeholder_that_the_path_does_not_have_is_a_mistake() {
        let _ = TagTemplate::new("/users/<id>", "user:<name>");
    }
}
