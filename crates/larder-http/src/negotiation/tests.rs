use http::{HeaderName, HeaderValue};

use super::*;

fn headers(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    headers
}

fn codings(value: &str) -> Option<String> {
    let normal = accepted_codings(&headers("accept-encoding", value), &[])?;
    Some(String::from_utf8(normal).unwrap())
}

fn languages(value: &str, ignores_order: bool) -> Option<String> {
    let normal = accepted_languages(&headers("accept-language", value), ignores_order)?;
    Some(String::from_utf8(normal).unwrap())
}

#[test]
fn codings_are_ranked() {
    for (value, normal) in [
        ("", ""),
        ("identity", ""),
        ("gzip;q=0", ""),
        ("unknown, compress;q=0.3", ""),
        ("gzip", "gzip"),
        ("GZip ; q=0.123,", "gzip"),
        ("x-gzip, gzip", "gzip"),
        ("gzip, identity;q=0.5", "gzip"),
        ("gzip, identity", "gzip=identity"),
        ("gzip;q=0.5, identity", "identity>gzip"),
        ("gzip, deflate, br, zstd", "br=deflate=gzip=zstd"),
        ("zstd;q=1.000, unknown;q=0.9, br;q=1, gzip, deflate", "br=deflate=gzip=zstd"),
        ("br;q=0.1, gzip;q=0.7", "gzip>br"),
        ("gzip, *;q=0", "gzip!"),
        ("gzip, identity;q=0", "gzip!"),
        ("gzip, identity;q=0.1, *;q=0", "gzip"),
        ("*", "br=deflate=gzip=identity=zstd"),
        ("br, *;q=0.1", "br>deflate=gzip=identity=zstd"),
        ("*;q=0.4, br", "br>deflate=gzip=identity=zstd"),
    ] {
        assert_eq!(codings(value).as_deref(), Some(normal), "{value}");
    }
    for invalid in
        ["gzip;q=2", "gzip;q=0.1234", "gzip;q=1.1", "gzip;x=1", "gzip;q", "a b", "gzip, gzip;q=0.5"]
    {
        assert_eq!(codings(invalid), None, "{invalid}");
    }
}

#[test]
fn an_unknown_coding_counts_where_a_response_has_it() {
    let request = headers("accept-encoding", "gzip, own;q=0.5");
    assert_eq!(accepted_codings(&request, &["own".into()]), Some(b"gzip>own".to_vec()));
    assert_eq!(accepted_codings(&request, &["gzip".into()]), Some(b"gzip".to_vec()));
}

#[test]
fn thousands_of_spellings_are_few_normal_forms() {
    let mut normal = std::collections::HashSet::new();
    for n in 0..2000_u32 {
        let (a, b) = (n % 1000, n * 7 % 1000);
        normal.insert(codings(&format!("gzip;q=0.{a:03}, br;q=0.{b:03}, own-{n}")).unwrap());
    }
    assert!(normal.len() <= 6, "{normal:?}");
}

#[test]
fn languages_are_ranked() {
    for (value, normal) in [
        ("en;q=0.8, DE", "de>en"),
        ("de, en;q=0.1", "de>en"),
        ("en, de", "en=de"),
        ("de, en", "de=en"),
        ("de, en;q=0, *;q=0.1", "de>*!en"),
    ] {
        assert_eq!(languages(value, false).as_deref(), Some(normal), "{value}");
    }
    assert_eq!(languages("de, en", true), languages("en, de", true));
    assert_ne!(languages("de, en;q=0.5", true), languages("en, de;q=0.5", true));
    assert_eq!(languages("de;q=high", false), None);
}

#[test]
fn what_is_preferred_to_all_else() {
    let preferred = |request: &str, language: &str| {
        let response = headers("content-language", language);
        is_preferred("accept-language", &headers("accept-language", request), &response)
    };
    assert!(preferred("fr;q=0.5, DE", "de"));
    assert!(preferred("de", "DE"));
    assert!(preferred("de;q=0.2, *;q=0.1", "de"));
    for other in ["de, en", "de-at", "en, de;q=0.5", "*", "de;q=0", "", "de, *", "de;q=x"] {
        assert!(!preferred(other, "de"), "{other}");
    }
    assert!(!preferred("de", "de, en"));
    let coded = |request: &str, coding: &str| {
        let response = headers("content-encoding", coding);
        is_preferred("accept-encoding", &headers("accept-encoding", request), &response)
    };
    assert!(coded("gzip, br;q=0.5", "x-gzip"));
    assert!(!coded("gzip, br", "gzip"));
    assert!(!coded("gzip", "gzip, br"));
    assert!(!is_preferred("accept-encoding", &headers("accept-encoding", "gzip"), &HeaderMap::new()));
    assert!(!is_preferred("accept", &headers("accept", "de"), &headers("content-language", "de")));
}

/// To compare each with all others would take minutes.
#[test]
fn a_header_with_thousands_of_members_has_no_normal_form() {
    let list = |members: usize| (0..members).map(|n| format!("x{n}")).collect::<Vec<_>>().join(",");
    for (members, has_normal_form) in [(64, true), (65, false), (100_000, false)] {
        assert_eq!(languages(&list(members), false).is_some(), has_normal_form, "{members}");
        assert_eq!(codings(&list(members)).is_some(), has_normal_form, "{members}");
        assert_eq!(preferred("accept-language", &headers("accept-language", &list(members))), None);
    }
    assert!(languages(&"x".repeat(MAX_BYTES), false).is_some());
    assert!(languages(&"x".repeat(MAX_BYTES + 1), false).is_none());
    let mut lines = HeaderMap::new();
    for _ in 0..2 {
        lines.append("accept-language", "x".repeat(MAX_BYTES).parse().unwrap());
    }
    assert!(accepted_languages(&lines, false).is_none());
}
