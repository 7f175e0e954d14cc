//! Percent-decoding, of paths and of queries.

use percent_encoding::percent_decode_str;

use super::answer::Problem;

/// The text that was encoded. A `%` without two digits behind it is one.
pub(super) fn decode(text: &str) -> Result<String, Problem> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| Problem::bad(format!("{text:?} is not percent-encoded UTF-8")))
}

/// The parameters of a query, in their order.
pub(super) fn parameters(query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        // As forms encode them.
        Ok((decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?))
    };
    parts.map(pair).collect()
}

/// A parameter that is not known.
pub(super) fn unknown_parameter(name: &str, known: &str) -> Problem {
    Problem::bad(format!("{name:?} is no parameter of this route: there are {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        assert_eq!(decode("a%3Ab%2f%C3%BC+%25").unwrap(), "a:b/ü+%");
        assert_eq!(decode("50%").unwrap(), "50%");
        assert!(decode("%FF").is_err());
        let pairs = parameters(Some("a=1+2&&b&c=%26=")).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1 2"), ("b", ""), ("c", "&=")]);
        assert!(parameters(None).unwrap().is_empty());
    }
}
