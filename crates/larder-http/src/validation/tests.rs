use super::*;

const NOW: Millis = 1_700_000_000_000;

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for &(name, value) in fields {
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

fn has_tag(asked: &'static str, stored: &'static str) -> bool {
    is_not_modified(
        &headers(&[("if-none-match", asked)]),
        StatusCode::OK,
        &headers(&[("etag", stored)]),
        Some(NOW),
    )
}

fn changes(conditions: Conditions) -> RequestChanges {
    RequestChanges { conditions: Some(conditions), removed: Vec::new() }
}

#[test]
fn rfc_9110_section_13_1_2_weak_comparison_in_lists() {
    assert!(has_tag("\"a\"", "\"a\""));
    assert!(has_tag("W/\"a\"", "\"a\""));
    assert!(has_tag("\"x\", W/\"a\" ,\"y\"", "W/\"a\""));
    assert!(has_tag("\"x,y\",\"a\"", "\"a\""));
    assert!(has_tag("*", "\"a\""));
    assert!(!has_tag("\"*\"", "\"a\""));
    assert!(!has_tag("\"A\"", "\"a\""));
    assert!(!has_tag("w/\"a\"", "\"a\""), "the flag has one case");
    assert!(!has_tag("\"x, \"a\"", "\"a\""), "quotes that do not close");
    assert!(!has_tag("", "\"a\""));
}

#[test]
fn section_13_2_2_tags_go_before_dates() {
    let stored = headers(&[("etag", "\"a\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    let asked =
        |tag| headers(&[("if-none-match", tag), ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    assert!(is_not_modified(&asked("\"a\""), StatusCode::OK, &stored, Some(NOW)));
    assert!(!is_not_modified(&asked("\"b\""), StatusCode::OK, &stored, Some(NOW)));
    assert!(!is_not_modified(&asked("\"a\""), StatusCode::NOT_FOUND, &stored, Some(NOW)));
}

#[test]
fn the_handler_is_asked_with_what_it_gave() {
    let stored = headers(&[("etag", "\"a\""), ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    let mut request = headers(&[("if-none-match", "\"b\""), ("x", "1")]);
    changes(Conditions::of(&stored, false)).apply(&mut request);
    assert_eq!(request["if-none-match"], "\"a\"");
    assert_eq!(request["if-modified-since"], stored["last-modified"]);
    changes(Conditions::of(&stored, true)).apply(&mut request);
    assert!(!request.contains_key("if-none-match"));
    changes(Conditions::default()).apply(&mut request);
    assert_eq!(request.len(), 1);
}

#[test]
fn a_tag_made_here_tells_representations_apart() {
    let tag = |kind, body: &'static str| {
        etag(&headers(&[("content-type", kind)]), &Bytes::from_static(body.as_bytes()))
    };
    assert_eq!(tag("a", "x"), tag("a", "x"));
    assert_ne!(tag("a", "x"), tag("b", "x"));
    assert_ne!(tag("a", "x"), tag("a", "y"));
    assert!(!tag("a", "x").as_bytes().starts_with(b"W/"));
}

#[test]
fn rfc_9111_section_4_3_5_what_a_head_says_of_the_body() {
    let stored = headers(&[("etag", "\"a\"")]);
    let said = |generated_etag, fields| compare_with_head(&stored, generated_etag, 5, &headers(fields));
    assert_eq!(said(false, &[("etag", "\"a\""), ("content-length", "5")]), HeadComparison::Same);
    assert_eq!(said(false, &[]), HeadComparison::Unknown);
    assert_eq!(said(false, &[("content-length", "5")]), HeadComparison::Unknown);
    assert_eq!(said(false, &[("etag", "\"b\"")]), HeadComparison::Different);
    assert_eq!(said(false, &[("content-length", "6")]), HeadComparison::Different);
    assert_eq!(said(true, &[("etag", "\"a\"")]), HeadComparison::Different, "the handler has a tag now");
}

#[test]
fn rfc_9111_section_4_3_4_a_304_is_for_the_response_that_has_its_validator() {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    let does = |stored: &[_], not_modified: &[_]| validates(&headers(stored), false, &headers(not_modified));
    let (strong, weak) = (("etag", "\"a\""), ("etag", "W/\"a\""));
    let (date, later) = (("last-modified", DATE), ("last-modified", LATER));
    for (stored, not_modified, validates) in [
        (&[strong, date][..], &[][..], true),
        (&[strong], &[strong], true),
        (&[strong], &[weak], true),
        (&[weak], &[weak], true),
        (&[weak], &[strong], false),
        (&[strong], &[("etag", "\"b\"")], false),
        (&[date], &[strong], false),
        (&[date], &[date], true),
        (&[date], &[later], false),
        (&[strong, date], &[later], false),
        (&[strong], &[date], false),
        (&[strong, date], &[strong, later], true),
    ] {
        assert_eq!(does(stored, not_modified), validates, "{stored:?}, {not_modified:?}");
    }
    assert!(!validates(&headers(&[strong]), true, &headers(&[strong])), "that tag was made here");
}
