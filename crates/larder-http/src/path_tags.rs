//! Tags that follow from the path of a request.

use larder::internal::escaped;

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

    /// The tag of a path, in both of its spellings if there are two; none if the path does not match.
    ///
    /// One has the segments as they are, which is how people and CDNs write it. The other has them escaped, as the macros
    /// of `larder` write a placeholder's value: `product:sku:42`, and `product:sku%3A42`.
    pub(crate) fn tags(&self, path: &str) -> impl Iterator<Item = String> + use<> {
        let plain = self.names(path);
        let of_macros = plain.as_ref().and_then(|names| {
            let names: Vec<_> = names.iter().map(|(name, given)| (*name, escaped(given))).collect();
            (Some(&names) != plain.as_ref()).then(|| self.tag(&names))
        });
        plain.map(|names| self.tag(&names)).into_iter().chain(of_macros)
    }

    /// What stands in a path for each placeholder; none if the path does not match.
    fn names(&self, path: &str) -> Option<Vec<(&str, String)>> {
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
                Part::Name(name) => names.push((name.as_str(), given)),
            }
        }
        Some(names)
    }

    /// The tag with these texts in place of its placeholders.
    fn tag(&self, names: &[(&str, String)]) -> String {
        let texts = self.tag.iter().filter_map(|part| match part {
            Part::Literal(literal) => Some(literal.as_str()),
            Part::Name(name) => {
                names.iter().find(|(known, _)| *known == name).map(|(_, given)| given.as_str())
            }
        });
        texts.collect()
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

    fn all(template: &TagTemplate, path: &str) -> Vec<String> {
        template.tags(path).collect()
    }

    #[test]
    fn a_path_that_matches_has_a_tag() {
        let template = TagTemplate::new("/users/<id>/posts/<post>", "posts:<id>/<post>!");
        assert_eq!(all(&template, "/users/7/posts/a%20b"), ["posts:7/a b!"]);
        assert_eq!(all(&template, "/users/7/posts"), [""; 0]);
        assert_eq!(all(&template, "/users/7/posts/1/2"), [""; 0]);
        assert_eq!(all(&template, "/people/7/posts/1"), [""; 0]);
    }

    #[test]
    fn a_tag_has_a_second_spelling_where_the_macros_have_another_one() {
        let template = TagTemplate::new("/shops/<shop>/<id>", "product:<shop>:<id>");
        for (path, tags) in [
            ("/shops/a/sku:42", ["product:a:sku:42", "product:a:sku%3A42"]),
            ("/shops/b*/50%25", ["product:b*:50%", "product:b%2A:50%25"]),
            ("/shops/a%09b/7", ["product:a\tb:7", "product:a%09b:7"]),
        ] {
            assert_eq!(all(&template, path), tags);
        }
        assert_eq!(all(&template, "/shops/a%20b/ü"), ["product:a b:ü"]);
    }

    #[test]
    fn a_star_matches_any_segments() {
        let template = TagTemplate::new("/users/<id>/*", "user:<id>");
        assert_eq!(all(&template, "/users/7/posts/1"), ["user:7"]);
        assert_eq!(all(&template, "/users/7"), ["user:7"]);
        assert_eq!(all(&template, "/users"), [""; 0]);
    }

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        for path in ["/users/<id>", "/users/<id>/"] {
            let template = TagTemplate::new(path, "user:<id>");
            assert_eq!(all(&template, "/users/7/"), ["user:7"], "{path}");
            assert_eq!(all(&template, "/users/7"), ["user:7"], "{path}");
            assert_eq!(all(&template, "/users/7//"), [""; 0], "{path}");
        }
        assert_eq!(all(&TagTemplate::new("/", "home"), "/"), ["home"]);
        assert_eq!(all(&TagTemplate::new("/", "home"), "/users"), [""; 0]);
    }

    #[test]
    #[should_panic(expected = "which is not in the path")]
    fn a_placeholder_that_the_path_does_not_have_is_a_mistake() {
        let _ = TagTemplate::new("/users/<id>", "user:<name>");
    }
}
