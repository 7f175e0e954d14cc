//! `Vary`: which requests a stored response may answer (RFC 9111, section 4.1).

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::{
    digest::{Digest, PartsHasher},
    headers::MAX_HEADERS,
    negotiation,
    normalization::Selecting,
};

/// The request headers that selected a response, and a digest of their values: these may be secrets, and are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Vary {
    names: Vec<String>,
    chosen_by: Digest,
}

impl Vary {
    /// That of a response to a request with these headers; none for `*`, and for a value that cannot be parsed.
    pub(crate) fn of(response: &HeaderMap, request: &HeaderMap, selecting: &Selecting) -> Option<Self> {
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
        let codings = negotiation::codings_of(response);
        let chosen_by = digest(&names, |name| selecting.normal(name, request, &codings));
        Some(Self { names, chosen_by })
    }

    /// Whether a request with these headers selects the response, which has the headers `response`, and was `selected`
    /// before.
    pub(crate) fn matches(
        &self,
        request: &HeaderMap,
        (response, selected): (&HeaderMap, &Selected),
        selecting: &Selecting,
    ) -> bool {
        if self.names.is_empty() || selected.is_by(request, selecting) {
            return true;
        }
        let matches = self.selected_by(request, response, selecting) == self.chosen_by
            || self.names.iter().all(|name| selecting.prefers(name, request, response));
        if matches {
            selected.remember(&self.names, request, selecting);
        }
        matches
    }

    /// The digest of the same headers in another request.
    fn selected_by(&self, request: &HeaderMap, response: &HeaderMap, selecting: &Selecting) -> Digest {
        let codings = negotiation::codings_of(response);
        digest(&self.names, |name| selecting.normal(name, request, &codings))
    }

    /// A digest of the same headers in another request for the key of the response that it selects. At a `first` try it
    /// is the same for all requests that prefer the same language; those that select different responses nevertheless are told apart
    /// at the next one.
    pub(crate) fn key_of(
        &self,
        request: &HeaderMap,
        response: &HeaderMap,
        (selecting, first): (&Selecting, bool),
    ) -> Digest {
        if !first {
            return self.selected_by(request, response, selecting);
        }
        let codings = negotiation::codings_of(response);
        digest(&self.names, |name| selecting.preferred(name, request, &codings))
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

    /// Whether this holds for all headers that selected the response.
    pub(crate) fn names_all(&self, holds: impl Fn(&HeaderName) -> bool) -> bool {
        self.names
            .iter()
            .all(|name| HeaderName::from_lowercase(name.as_bytes()).is_ok_and(|name| holds(&name)))
    }

    /// Whether this header selected the response.
    pub(crate) fn names(&self, name: &HeaderName) -> bool {
        self.names.iter().any(|known| known == name.as_str())
    }
}

/// The values of the headers that selected a response when it was first served: for the next requests with the same ones,
/// which are many, no digest is made. Only of headers that tell no secrets, and in this process alone.
#[derive(Debug, Default)]
pub(crate) struct Selected(OnceLock<Box<[Sent]>>);

/// A header with its value, if a request has it.
type Sent = (HeaderName, Option<HeaderValue>);

impl Selected {
    /// Headers of which every browser sends one of a few values.
    const WITHOUT_SECRETS: [HeaderName; 4] =
        [header::ACCEPT, header::ACCEPT_CHARSET, header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE];

    /// Longest value that is kept, in bytes.
    const LONGEST: usize = 256;

    fn is_by(&self, request: &HeaderMap, selecting: &Selecting) -> bool {
        let Some(known) = self.0.get().filter(|_| selecting.is_default()) else { return false };
        known.iter().all(|(name, value)| {
            let mut lines = request.get_all(name).iter();
            lines.next() == value.as_ref() && lines.next().is_none()
        })
    }

    fn remember(&self, names: &[String], request: &HeaderMap, selecting: &Selecting) {
        if selecting.is_default() && self.0.get().is_none() {
            let values = names.iter().map(|name| Self::value_of(name, request));
            if let Some(values) = values.collect() {
                // Another request's may have come first.
                drop(self.0.set(values));
            }
        }
    }

    /// The value of one of these headers; none if it is not to be remembered.
    fn value_of(name: &str, request: &HeaderMap) -> Option<Sent> {
        let name = Self::WITHOUT_SECRETS.iter().find(|known| **known == name)?;
        let mut lines = request.get_all(name).iter();
        let value = lines.next();
        if lines.next().is_some() || value.is_some_and(|value| value.len() > Self::LONGEST) {
            return None;
        }
        // In memory of its own: it may be a view of a large buffer that it came in.
        let copied =
            |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
        Some((name.clone(), value.map(copied)))
    }
}

/// A digest of these headers with their values.
fn digest(names: &[String], value_of: impl Fn(&str) -> Option<Vec<u8>>) -> Digest {
    let mut hasher = PartsHasher::default();
    for name in names {
        hasher.part(name.as_bytes());
        let value = value_of(name);
        hasher.flag(value.is_some());
        if let Some(value) = value {
            hasher.part(&value);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vary_of(response: &HeaderMap, request: &HeaderMap) -> Option<Vary> {
        Vary::of(response, request, &Selecting::default())
    }

    impl Vary {
        fn selects(&self, request: &HeaderMap) -> bool {
            self.matches(request, (&HeaderMap::new(), &Selected::default()), &Selecting::default())
        }
    }

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
    fn section_4_1_a_star_selectsnothing() {
        for star in [&["*"][..], &["*, *"], &["*", "*"], &[", *"], &["", "*"], &["*, foo"], &["foo, *"]] {
            assert_eq!(vary_of(&lines("vary", star), &HeaderMap::new()), None, "{star:?}");
        }
    }

    #[test]
    fn section_4_1_blanks_and_lines_are_normalized() {
        let vary = vary_of(&headers(&[("vary", "Foo")]), &headers(&[("foo", "1,2")])).unwrap();
        assert!(vary.selects(&headers(&[("foo", " 1 , 2 ")])));
        assert!(vary.selects(&lines("foo", &["1", "2"])));
        assert!(!vary.selects(&headers(&[("foo", "12")])));
        assert!(!vary.selects(&headers(&[("foo", "2,1")])));
        assert!(!vary.selects(&HeaderMap::new()));
    }

    #[test]
    fn an_absent_field_is_not_an_empty_one() {
        let vary = vary_of(&headers(&[("vary", "foo")]), &HeaderMap::new()).unwrap();
        assert!(vary.selects(&HeaderMap::new()));
        assert!(!vary.selects(&headers(&[("foo", "")])));
    }

    #[test]
    fn values_do_not_run_into_one_another() {
        let vary = vary_of(&headers(&[("vary", "a, b")]), &headers(&[("a", "1"), ("b", "2")])).unwrap();
        assert!(!vary.selects(&headers(&[("a", "1,2")])));
        assert!(!vary.selects(&headers(&[("a", "2"), ("b", "1")])));
        assert!(vary.selects(&headers(&[("b", "2"), ("a", "1"), ("c", "3")])));
    }

    #[test]
    fn the_case_of_languages_means_nothing_that_of_others_does() {
        let vary = vary_of(&headers(&[("vary", "accept-language")]), &headers(&[("accept-language", "EN")]));
        assert!(vary.unwrap().selects(&headers(&[("accept-language", "en")])));
        let vary = vary_of(&headers(&[("vary", "foo")]), &headers(&[("foo", "A")]));
        assert!(!vary.unwrap().selects(&headers(&[("foo", "a")])));
    }

    /// What is remembered of one request answers no question about another one.
    #[test]
    fn what_is_remembered_changes_nothing() {
        let (gzip, none) = (headers(&[("accept-encoding", "gzip")]), HeaderMap::new());
        let requests = [
            gzip.clone(),
            none.clone(),
            headers(&[("accept-encoding", "GZIP")]),
            headers(&[("accept-encoding", "br")]),
            lines("accept-encoding", &["gzip", "br"]),
            lines("accept-encoding", &["gzip", "gzip"]),
            headers(&[("accept-encoding", "gzip"), ("cookie", "a")]),
            headers(&[("accept-encoding", "gzip"), ("accept-language", "en")]),
        ];
        for names in ["accept-encoding", "accept-encoding, accept-language", "accept-encoding, cookie"] {
            for first in &requests {
                let response = headers(&[("vary", names)]);
                let (vary, selecting) = (vary_of(&response, first).unwrap(), Selecting::default());
                let selected = Selected::default();
                assert!(vary.matches(first, (&response, &selected), &selecting));
                let has_secrets_or_lines =
                    names.contains("cookie") || first == &requests[4] || first == &requests[5];
                assert_eq!(selected.0.get().is_none(), has_secrets_or_lines, "{names}: {first:?}");
                for request in &requests {
                    let anew = vary.matches(request, (&response, &Selected::default()), &selecting);
                    let remembered = vary.matches(request, (&response, &selected), &selecting);
                    assert_eq!(anew, remembered, "{names}: {first:?}, {request:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_remembered_where_the_user_decides() {
        let mut selecting = Selecting::default();
        selecting.add_hook(header::ACCEPT_ENCODING, std::sync::Arc::new(str::to_owned));
        let (request, response) =
            (headers(&[("accept-encoding", "gzip")]), headers(&[("vary", "accept-encoding")]));
        let vary = Vary::of(&response, &request, &selecting).unwrap();
        let selected = Selected::default();
        assert!(vary.matches(&request, (&response, &selected), &selecting));
        assert!(selected.0.get().is_none());
        let long = headers(&[("accept-encoding", &"a".repeat(Selected::LONGEST + 1))]);
        let vary = vary_of(&response, &long).unwrap();
        assert!(vary.matches(&long, (&response, &selected), &Selecting::default()));
        assert!(selected.0.get().is_none());
    }
}
