//! Targeted cache control: fields that only some caches obey, in place of `Cache-Control` and `Expires` (RFC 9213).

use http::{HeaderMap, HeaderName};

use crate::{
    cache_control::{Argument, Field, Reading, ResponseDirectives},
    structured_fields::{Value, dictionary},
};

/// This cache's own field. It is never sent to clients.
pub(crate) static OWN_FIELD: HeaderName = HeaderName::from_static("larder-cache-control");

/// The fields that are obeyed by default, the most specific one first.
pub(crate) fn default_fields() -> Vec<HeaderName> {
    vec![OWN_FIELD.clone(), HeaderName::from_static("cdn-cache-control")]
}

/// The directives of a response for a cache that obeys these fields: those of the first one that is valid and not empty,
/// or else those of `Cache-Control`.
///
/// An invalid field is ignored, except that `no-store`, `private` and `no-cache` in it forbid what they name.
pub(crate) fn directives(headers: &HeaderMap, fields: &[HeaderName]) -> ResponseDirectives {
    let mut forbidden = Vec::new();
    for name in fields.iter().filter(|name| headers.contains_key(*name)) {
        let lines = headers.get_all(name);
        let members = dictionary(&lines).filter(|members| members.iter().all(is_well_typed));
        match members {
            Some(members) if members.is_empty() => {}
            Some(members) => {
                let mut directives = of_members(&members);
                directives.field = if *name == OWN_FIELD { Field::Own } else { Field::Targeted };
                directives.forbid(&forbidden);
                return directives;
            }
            None => lines.iter().for_each(|line| {
                forbidden.extend(words(&String::from_utf8_lossy(line.as_bytes())));
            }),
        }
    }
    let mut directives = ResponseDirectives::of(headers);
    directives.forbid(&forbidden);
    directives
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let is_separator = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    text.split(is_separator).map(str::to_ascii_lowercase).filter(|word| is_prohibition(word))
}

/// Whether a directive forbids to store a response, or to use it without asking.
fn is_prohibition(name: &str) -> bool {
    matches!(name, "no-store" | "no-cache" | "private")
}

/// Whether a known directive has a value of its type (RFC 9213, section 2.1).
fn is_well_typed((name, value): &(String, Value)) -> bool {
    match name.as_str() {
        "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error" => {
            matches!(value, Value::Integer(_))
        }
        "no-store" | "public" | "must-revalidate" | "proxy-revalidate" | "must-understand" => {
            *value == Value::Boolean(true)
        }
        "no-cache" | "private" => {
            matches!(value, Value::Boolean(true) | Value::String(_) | Value::Token(_))
        }
        _ => true,
    }
}

fn of_members(members: &[(String, Value)]) -> ResponseDirectives {
    let mut reading = Reading::default();
    for (index, (name, value)) in members.iter().enumerate() {
        // The last member of a name counts, but no prohibition is taken back.
        let is_last = members[index + 1..].iter().all(|(later, _)| later != name);
        if !is_last && !is_prohibition(name) {
            continue;
        }
        let number;
        let argument = match value {
            Value::Boolean(true) => Argument::None,
            Value::Integer(seconds) if *seconds >= 0 => {
                number = seconds.to_string();
                Argument::Token(&number)
            }
            Value::Token(text) => Argument::Token(text),
            Value::String(text) => Argument::Quoted(text),
            Value::Boolean(false) | Value::Integer(_) | Value::InnerList(_) | Value::Other => {
                Argument::Malformed
            }
        };
        reading.add(name, argument);
    }
    reading.directives(true)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;
    use crate::cache_control::Qualified;

    fn directives_of(lines: &[(&'static str, &str)]) -> ResponseDirectives {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        directives(&headers, &default_fields())
    }

    fn own(line: &str) -> ResponseDirectives {
        directives_of(&[("larder-cache-control", line), ("cache-control", "max-age=1")])
    }

    fn secs(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn the_first_valid_field_counts() {
        let cdn = ("cdn-cache-control", "max-age=2");
        let plain = ("cache-control", "max-age=1, public");
        for (lines, field, max_age) in [
            (vec![("larder-cache-control", "max-age=3"), cdn, plain], Field::Own, 3),
            (vec![plain, cdn, ("larder-cache-control", "max-age=3")], Field::Own, 3),
            (vec![("larder-cache-control", "max-age=3s"), cdn, plain], Field::Targeted, 2),
            (vec![("larder-cache-control", ""), cdn, plain], Field::Targeted, 2),
            (
                vec![("larder-cache-control", "max-age"), ("cdn-cache-control", "&"), plain],
                Field::CacheControl,
                1,
            ),
        ] {
            let directives = directives_of(&lines);
            assert_eq!((directives.field, directives.max_age), (field, secs(max_age)), "{lines:?}");
            assert_eq!(directives.permits.public, field == Field::CacheControl, "{lines:?}");
        }
    }

    #[test]
    fn a_field_with_a_wrong_type_is_ignored() {
        for line in [
            "max-age=\"60\"",
            "max-age=6.5",
            "max-age=?1",
            "s-maxage",
            "public=1",
            "MAX-AGE=60",
            "max-age =60",
            "max-age=60,",
        ] {
            assert_eq!(own(line).field, Field::CacheControl, "{line}");
            assert_eq!(own(line).max_age, secs(1), "{line}");
        }
        assert_eq!(own("max-age=-1").max_age, secs(0));
        assert_eq!(own("max-age=60;a=b, x=(1 2), y=1.5").max_age, secs(60));
    }

    #[test]
    fn of_two_members_the_last_counts_but_prohibitions_stay() {
        assert_eq!(own("max-age=60, max-age=30").max_age, secs(30));
        let s_maxage = own("s-maxage=60, s-maxage=30");
        assert_eq!((s_maxage.s_maxage, s_maxage.permits.s_maxage), (secs(30), true));
        assert_eq!(own("private, private=\"a\"").private, Qualified::Response);
        assert_eq!(own("no-cache=\"a\", no-cache=\"b\"").no_cache.names().len(), 2);
    }

    #[test]
    fn what_forbids_does_so_in_an_invalid_field_too() {
        for line in ["no-store, &", "No-Store", "no-store=?0", "max-age=60, no-store=x", "\"no-store"] {
            assert!(own(line).no_store, "{line}");
            assert_eq!(own(line).max_age, secs(1), "{line}");
        }
        assert_eq!(own("Private").private, Qualified::Response);
        assert_eq!(own("private=1").private, Qualified::Response);
        assert_eq!(own("no-cache=(a)").no_cache, Qualified::Response);
        let both =
            directives_of(&[("larder-cache-control", "no-store &"), ("cdn-cache-control", "max-age=2")]);
        assert!(both.no_store);
        assert!(!own("max-age=60").no_store);
    }

    #[test]
    fn nothing_of_cache_control_counts_beside_a_field() {
        let lines =
            [("cdn-cache-control", "max-age=60"), ("cache-control", "no-store, private, public, s-maxage=1")];
        let directives = directives_of(&lines);
        assert!(!directives.no_store && !directives.permits.public && directives.s_maxage.is_none());
        assert_eq!(directives.private, Qualified::Absent);
    }
}
