//! `Vary`: which requests a response answers (RFC 9111, section 4.1).

use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    key::Hash,
    lists::{Backslash, split},
    page::MOST_HEADERS,
};

/// The fields that chose a response, and a digest of what the request said in them: it may be a secret, and is
/// not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Vary {
    names: Vec<String>,
    chosen_by: Hash,
}

impl Vary {
    /// What chose a response to a request with these headers; none for `*`, or what cannot be read.
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

    /// Whether the response answers a request with these headers.
    pub(crate) fn matches(&self, request: &HeaderMap) -> bool {
        self.names.is_empty() || digest(&self.names, request) == self.chosen_by
    }

    /// What the same fields say in another request.
    pub(crate) fn chosen_by(&self, request: &HeaderMap) -> Hash {
        digest(&self.names, request)
    }

    /// Whether it is as [`of`](Self::of) makes them.
    pub(crate) fn is_valid(&self) -> bool {
        self.names.len() <= MOST_HEADERS
            && self.names.iter().all(|name| HeaderName::from_lowercase(name.as_bytes()).is_ok())
    }

    /// How much memory the names take, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.names.iter().map(|name| name.len() + size_of::<String>()).sum()
    }

    /// Whether the field chose.
    pub(crate) fn names(&self, name: &HeaderName) -> bool {
        self.names.iter().any(|known| known == name.as_str())
    }
}

/// What a request says in these fields. Each part has its length before it, so that no value can look like
/// two.
fn digest(names: &[String], request: &HeaderMap) -> Hash {
    let mut hasher = Sha256::new();
    for name in names {
        part(&mut hasher, name.as_bytes());
        match normalized(name, request) {
            Some(value) => {
                hasher.update([1]);
                part(&mut hasher, &value);
            }
            None => hasher.update([0]),
        }
    }
    Hash::from(hasher)
}

fn part(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Fields that are no lists: a comma in them, and the blanks around it, are theirs.
const SINGLE: [&str; 8] =
    ["authorization", "cookie", "from", "host", "origin", "proxy-authorization", "referer", "user-agent"];

/// A field's lines as one list without blanks around its commas; in lower case where case means nothing. Of a
/// field that is no list, its lines as they stand.
fn normalized(name: &str, request: &HeaderMap) -> Option<Vec<u8>> {
    if SINGLE.contains(&name) {
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
