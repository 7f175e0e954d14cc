//! Percent-decoding, of paths and of queries.

use super::answer::Problem;

/// The text that was encoded.
pub(super) fn decode(text: &str) -> Result<String, Problem> {
    let wrong = || Problem::bad(format!("{text:?} is not percent-encoded UTF-8: write a `%` as %25"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        bytes.push(digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(wrong)?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
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
    fn what_is_encoded_is_decoded_and_all_else_is_refused() {
        assert_eq!(decode("a%3Ab%2f%C3%BC+%25").unwrap(), "a:b/ü+%");
        for wrong in ["%", "%4", "%zz", "%+1", "%FF", "a%é"] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
        let pairs = parameters(Some("a=1+2&&b&c=%26=")).unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1 2"), ("b", ""), ("c", "&=")]);
        assert!(parameters(None).unwrap().is_empty());
    }
}
