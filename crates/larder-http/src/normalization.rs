//! How the values of the headers that `Vary` names are compared.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName};

use crate::{
    list_syntax::{Backslash, split},
    negotiation,
};

type Normalize = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// What users decide about it.
#[derive(Clone, Default)]
pub(crate) struct Selecting {
    hooks: Vec<(HeaderName, Normalize)>,
    /// Whether the order of languages of one weight has no meaning.
    pub(crate) ignores_language_order: bool,
}

/// Headers that are not lists: commas in them, and the blanks around these, are part of the value.
const NOT_LISTS: [&str; 8] =
    ["authorization", "cookie", "from", "host", "origin", "proxy-authorization", "referer", "user-agent"];

impl Selecting {
    pub(crate) fn add_hook(&mut self, name: HeaderName, hook: Normalize) {
        self.hooks.retain(|(known, _)| *known != name);
        self.hooks.push((name, hook));
    }

    /// Whether the user decides nothing.
    pub(crate) fn is_default(&self) -> bool {
        self.hooks.is_empty() && !self.ignores_language_order
    }

    /// Whether the whole value of a header is compared, so that no two values are taken for the same.
    pub(crate) fn is_exact(&self, name: &HeaderName) -> bool {
        self.is_exact_name(name.as_str())
    }

    fn is_exact_name(&self, name: &str) -> bool {
        !self.hooks.iter().any(|(known, _)| known == name)
    }

    /// The value of a header in its normal form, for a response with these codings; none if the request does not have it.
    pub(crate) fn normal(&self, name: &str, request: &HeaderMap, codings: &[String]) -> Option<Vec<u8>> {
        if let Some((_, hook)) = self.hooks.iter().find(|(known, _)| known == name) {
            let lines = request.get_all(name).iter();
            let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
            return Some(hook(&lines.join(", ")).into_bytes());
        }
        let negotiated = match name {
            _ if !request.contains_key(name) => return None,
            "accept-encoding" => negotiation::accepted_codings(request, codings),
            "accept-language" => negotiation::accepted_languages(request, self.ignores_language_order),
            _ => None,
        };
        // A text and a normal form are never equal.
        let negotiated = negotiated.map(|normal| [b"\n", &normal[..]].concat());
        negotiated.or_else(|| text(name, request))
    }

    /// The language that a request prefers to all others, or else the normal form of the header: the responses for all
    /// requests that prefer the same language are looked for in the same place.
    pub(crate) fn preferred(&self, name: &str, request: &HeaderMap, codings: &[String]) -> Option<Vec<u8>> {
        let is_language = name == "accept-language" && self.is_exact_name(name);
        let preferred = is_language.then(|| negotiation::preferred(name, request)).flatten();
        let preferred = preferred.map(|preferred| [b"\n", preferred.as_bytes()].concat());
        preferred.or_else(|| self.normal(name, request, codings))
    }

    /// Whether a request has a header for which there is no better response than this one, although its value is another
    /// one than that which selected the response.
    pub(crate) fn prefers(&self, name: &str, request: &HeaderMap, response: &HeaderMap) -> bool {
        self.is_exact_name(name) && negotiation::is_preferred(name, request, response)
    }
}

/// A header's lines as one list without blanks around its commas; in lower case where case has no meaning. If the
/// header is not a list, its lines as they are.
fn text(name: &str, request: &HeaderMap) -> Option<Vec<u8>> {
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

impl fmt::Debug for Selecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selecting").finish_non_exhaustive()
    }
}
