//! `Vary`: which requests a stored response may answer (RFC 9111, section 4.1).

use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Digest, PartsHasher},
    headers::MAX_HEADERS,
    list_syntax::{Backslash, split},
};

/// The request headers that selected a response, and a digest of their values: these may be secrets, and are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Vary {
    names: Vec<String>,
    chosen_by: Digest,
}

impl Vary {
    /// That of a response to a request with these headers; none for `*`, and for a value that cannot be parsed.
    pub(crate) fn of(response: &HeaderMap, request: &HeaderMap) -> Option<Self> {
        let mut names = Vec::new();
        for line in response.get_all(header::VARY) {
            for name in line.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                if name == "*" {
                    return None;
                }
                names.push(HeaderName::from_bytes(name.as_bytes()).ok()?.as_str().to_owned());
            }
        }
        names.sort_unstable();
        names.dedup();
        let chosen_by = digest(&names, request);
        Some(Self { names, chosen_by })
    }

    /// Whether a request with these headers selects the response.
    pub(crate) fn matches(&self, request: &HeaderMap) -> bool {
        self.names.is_empty() || digest(&self.names, request) == self.chosen_by
    }

    /// The digest of the same headers in another request.
    pub(crate) fn selected_by(&self, request: &HeaderMap) -> Digest {
        digest(&self.names, request)
    }

    /// Whether [`of`](Self::of) could have made it.
    pub(crate) fn is_valid(&self) -> bool {
        self.names.len() <= MAX_HEADERS
            && self.names.iter().all(|name| HeaderName::from_lowercase(name.as_bytes()).is_ok())
    }

    /// The memory that the names take, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.names.iter().map(|name| name.len() + size_of::<String>()).sum()
    }

    /// Whether this header selected the response.
    pub(crate) fn names(&self, name: &HeaderName) -> bool {
        self.names.iter().any(|known| known == name.as_str())
    }
}

/// A digest of the values of these headers in a request.
fn digest(names: &[String], request: &HeaderMap) -> Digest {
    let mut hasher = PartsHasher::default();
    for name in names {
        hasher.part(name.as_bytes());
        let value = normalized(name, request);
        hasher.flag(value.is_some());
        if let Some(value) = value {
            hasher.part(&value);
        }
    }
    hasher.finish()
}

/// Headers that are not lists: commas in them, and the blanks around these, are part of the value.
const NOT_LISTS: [&str; 8] =
    ["authorization", "cookie", "from", "host", "origin", "proxy-authorization", "referer", "user-agent"];

/// A header's lines as one list without blanks around its commas; in lower case where case has no meaning. If the
/// header is not a list, its lines as they are.
fn normalized(name: &str, request: &HeaderMap) -> Option<Vec<u8>> {
    if NOT_LISTS.contains(&name) {
        let lines: Vec<_> = request.get_all(name).iter().map(|line| line.as_bytes()).collect();
        return (!lines.is_empty()).then(|| lines.join(&b'\n'));
    }
    let mut value: Option<Vec<u8>> = None;
    for line in request.get_all(name) {
        for member in split(line.as_bytes(), b",", Backslash::Escapes) {
            let value = match &mut value {
                Some(value) => {
                    value.push(b',');
                    value
                }
                None => value.insert(Vec::new()),
            };
            value.extend_from_slice(member);
        }
    }
    if matches!(name, "accept-encoding" | "accept-language" | "accept-charset") {
        value.iter_mut().for_each(|value| value.make_ascii_lowercase());
    }
    value
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let fields = fields
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        fields.collect()
    }

    fn lines(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn section_4_1_a_star_matches_nothing() {
        for star in [&["*"][..], &["*, *"], &["*", "*"], &[", *"], &["", "*"], &["*, foo"], &["foo, *"]] {
            assert_eq!(Vary::of(&lines("vary", star), &HeaderMap::new()), None, "{star:?}");
        }
    }

    #[test]
    fn section_4_1_blanks_and_lines_are_normalized() {
        let vary = Vary::of(&headers(&[("vary", "Foo")]), &headers(&[("foo", "1,2")])).unwrap();
        assert!(vary.matches(&headers(&[("foo", " 1 , 2 ")])));
        assert!(vary.matches(&lines("foo", &["1", "2"])));
        assert!(!vary.matches(&headers(&[("foo", "12")])));
        assert!(!vary.matches(&headers(&[("foo", "2,1")])));
        assert!(!vary.matches(&HeaderMap::new()));
    }

    #[test]
    fn an_absent_field_is_not_an_empty_one() {
        let vary = Vary::of(&headers(&[("vary", "foo")]), &HeaderMap::new()).unwrap();
        assert!(vary.matches(&HeaderMap::new()));
        assert!(!vary.matches(&headers(&[("foo", "")])));
    }

    #[test]
    fn values_do_not_run_into_one_another() {
        let vary = Vary::of(&headers(&[("vary", "a, b")]), &headers(&[("a", "1"), ("b", "2")])).unwrap();
        assert!(!vary.matches(&headers(&[("a", "1,2")])));
        assert!(!vary.matches(&headers(&[("a", "2"), ("b", "1")])));
        assert!(vary.matches(&headers(&[("b", "2"), ("a", "1"), ("c", "3")])));
    }

    #[test]
    fn the_case_of_languages_means_nothing_that_of_others_does() {
        let vary = Vary::of(&headers(&[("vary", "accept-language")]), &headers(&[("accept-language", "EN")]));
        assert!(vary.unwrap().matches(&headers(&[("accept-language", "en")])));
        let vary = Vary::of(&headers(&[("vary", "foo")]), &headers(&[("foo", "A")]));
        assert!(!vary.unwrap().matches(&headers(&[("foo", "a")])));
    }
}
