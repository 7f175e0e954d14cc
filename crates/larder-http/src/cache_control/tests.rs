use http::HeaderValue;

use super::*;

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(header::CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
    }
    headers
}

fn response(line: &str) -> ResponseDirectives {
    ResponseDirectives::of(&headers(&[line]))
}

fn secs(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn members_are_separated_by_commas_outside_of_quotes() {
    let of = |line| members(line).collect::<Vec<_>>();
    assert_eq!(of("a, b ,\tc"), ["a", "b", "c"]);
    assert_eq!(of(",, a,,"), ["a"]);
    assert_eq!(of(""), Vec::<&str>::new());
    assert_eq!(of("a=\"x, y\", b"), ["a=\"x, y\"", "b"]);
    assert_eq!(of("a=\"x\\\", y\", b"), ["a=\"x\\\", y\"", "b"]);
    assert_eq!(of("a=\"x, b"), ["a=\"x", "b"], "an open quote hides nothing");
    assert_eq!(of("a=\"x\\"), ["a=\"x\\"]);
}

#[test]
fn what_forbids_does_so_however_it_is_written() {
    for line in
        ["no-store", "NO-STORE", "no-store=x", "no-store =x", " no-store\t", "x=\", no-store", "\",no-store"]
    {
        assert!(response(line).no_store, "{line}");
    }
    for line in ["no-stores", "x-no-store", "ext=\"no-store\"", "ext=\"a, no-store\"", "no store"] {
        assert!(!response(line).no_store, "{line}");
    }
}

#[test]
fn a_list_of_fields_that_cannot_be_read_is_about_all() {
    assert_eq!(response("private").private, Qualified::Response);
    assert_eq!(
        response("private=\"a, B\"").private,
        Qualified::Headers(vec![HeaderName::from_static("a"), HeaderName::from_static("b"),])
    );
    assert_eq!(response("private=a").private.names().len(), 1);
    for line in [
        "private=",
        "private=\"\"",
        "private=\",\"",
        "private=\"a b\"",
        "private = \"a\"",
        "private=\"a",
        "private=\"a\", private",
    ] {
        assert_eq!(response(line).private, Qualified::Response, "{line}");
    }
    assert_eq!(response("no-cache=\"a\", no-cache=\"b\"").no_cache.names().len(), 2);
}

#[test]
fn times_are_digits_and_nothing_else() {
    assert_eq!(response("max-age=60").max_age, secs(60));
    assert_eq!(response("max-age=\"60\"").max_age, secs(60));
    assert_eq!(response("max-age=\"6\\0\"").max_age, secs(60));
    assert_eq!(response("max-age=0060").max_age, secs(60));
    assert_eq!(response("foo").max_age, None);
    for line in [
        "max-age",
        "max-age=",
        "max-age=-1",
        "max-age=+1",
        "max-age=1.0",
        "max-age=1s",
        "max-age = 1",
        "max-age='1'",
    ] {
        assert_eq!(response(line).max_age, secs(0), "{line}");
    }
    assert_eq!(response("max-age=99999999999999999999999999").max_age, secs(LONGEST));
}

#[test]
fn section_4_2_1_of_two_values_none_counts() {
    assert_eq!(response("max-age=60, max-age=60").max_age, secs(60));
    assert_eq!(response("max-age=60, max-age=61").max_age, secs(0));
    assert_eq!(ResponseDirectives::of(&headers(&["max-age=1", "max-age=2"])).max_age, secs(0));
}

#[test]
fn bytes_that_are_no_text_hide_nothing() {
    let mut headers = HeaderMap::new();
    headers.append(header::CACHE_CONTROL, HeaderValue::from_bytes(b"ext=\xff, no-store").unwrap());
    assert!(ResponseDirectives::of(&headers).no_store);
}

#[test]
fn section_5_2_1_requests() {
    let request = |line| RequestDirectives::of(&headers(&[line]));
    assert_eq!(request("max-stale").max_stale, secs(LONGEST));
    assert_eq!(request("max-stale=5").max_stale, secs(5));
    assert_eq!(request("max-stale=x").max_stale, secs(0));
    assert_eq!(request("min-fresh=5, min-fresh=7").min_fresh, secs(7));
    assert_eq!(request("min-fresh=x").min_fresh, secs(LONGEST));
    assert_eq!(request("max-age=5").max_age, secs(5));
    assert!(request("Only-If-Cached").only_if_cached);
    assert!(request("no-cache").no_cache && request("no-store").no_store);
}

/// Each of the faults that makes a permission void, in front of it, behind it, or in it.
#[test]
fn what_permits_does_so_only_in_a_field_without_a_fault() {
    let permits = |line: &str| response(line).permits;
    let all = permits("public, s-maxage=60, must-revalidate, must-understand, ext=\"a, \\\"b\", , x");
    assert!(all.public && all.s_maxage && all.must_revalidate && all.must_understand);
    assert!(permits("PUBLIC").public && permits("\tPublic ,").public);
    for line in [
        "public=bad",
        "public=",
        "public =",
        "public = \"\"",
        "public=\"\"",
        "public; x=1",
        "x=\"a, public",
        "public, x=\"a",
        "public, x = 1",
        "public x",
        "\"public\"",
        "'public'",
        "public, ü",
        "x=\"a\"b, public",
        "s-maxage=60s, public =",
    ] {
        assert_eq!(permits(line), Permissions::default(), "{line}");
    }
    for line in [
        "s-maxage",
        "s-maxage=",
        "s-maxage=60s",
        "s-maxage=\"60\"",
        "s-maxage = 60",
        "s-maxage=60;",
        "s-maxage=60, s-maxage=61",
        "s-maxage=60, s-maxage",
        "s-maxage=x, s-maxage=60",
        "s-maxage=-1",
        "x=\"a, s-maxage=60",
    ] {
        assert!(!permits(line).s_maxage, "{line}");
        assert!(response(line).s_maxage.is_some(), "{line}: it forbids to serve stale all the same");
    }
    let two_lines = ResponseDirectives::of(&headers(&["x=\"a", "public, max-age=60, private=\"b\""]));
    assert_eq!(two_lines.permits, Permissions::default());
    assert_eq!((two_lines.max_age, two_lines.private), (secs(0), Qualified::Response));
    assert!(!response("must-understand=1, no-store").permits.must_understand);
}

#[test]
fn what_forbids_does_so_beside_any_fault() {
    for line in [
        "private; x=1",
        "private x",
        "max-age=60; private",
        "max-age=60 private",
        "\"private\"",
        "'private'",
        "x=\"a, private=\"set-cookie\"",
        "public; private",
        "private:",
    ] {
        assert_eq!(response(line).private, Qualified::Response, "{line}");
    }
    for line in ["no-store; foo=1", "max-age=60;no-store", "x=\"a, no-store, y=\"b\"", "no-store;"] {
        assert!(response(line).no_store, "{line}");
    }
    for line in ["must-revalidate; x", "must-revalidate=1", "proxy-revalidate =", "no-cache; x=\"a\""] {
        assert!(response(line).forbids_stale(), "{line}");
    }
    for line in ["max-age=60; x", "public; max-age=60", "x=\"a, max-age=60"] {
        assert_eq!(response(line).max_age, secs(0), "{line}");
    }
    assert_eq!(response("x=\"a, stale-while-revalidate=60").stale_while_revalidate, secs(0));
}
