use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn of(lines: &[&str]) -> Option<UrlVariation> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(&NO_VARY_SEARCH, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    UrlVariation::of(&headers)
}

fn rule(line: &str) -> UrlVariation {
    of(&[line]).unwrap_or_else(|| panic!("{line} is the default"))
}

fn are_equivalent(line: &str, one: Option<&str>, other: Option<&str>) -> bool {
    rule(line).canonical(one) == rule(line).canonical(other)
}

/// Section 5.2.1.
#[test]
fn the_documents_examples_of_headers() {
    let named = |names: &[&str], select| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Some(UrlVariation::new(names, select, false))
    };
    assert_eq!(of(&["params=(\"a\")"]), named(&["a"], false));
    assert_eq!(of(&["except=(\"x\")"]), named(&["x"], true));
    assert_eq!(of(&["except=()"]), named(&[], true));
    for default in [
        "params=()",
        "key-order=?0",
        "key-order=\"not a boolean\"",
        "params=\"not an inner list\"",
        "params=(not-a-string)",
        "params=?0",
        "params=?1",
        "params=?1, except=(\"x\")",
        "params=(\"a\"), except=(\"x\")",
        "params=(), except=()",
        "except=\"not an inner list\"",
        "except=(not-a-string)",
        "except=?1",
    ] {
        assert_eq!(of(&[default]), None, "{default}");
    }
    assert_eq!(of(&["key-order=?1"]), of(&["key-order"]));
    assert_eq!(of(&["except=(\"x\"), key-order"]), of(&["key-order, except=(\"x\")"]));
    // Alone, it leaves all parameters to select a response, in any order.
    assert_eq!(of(&["key-order"]), Some(UrlVariation::new(Vec::new(), false, true)));
    assert_eq!(
        of(&["key-order;a=1, params=(\"a\";b);c"]),
        of(&["key-order, params=(\"a\")"]),
        "parameters are ignored"
    );
}

#[test]
fn a_header_is_obeyed_as_a_whole_or_not_at_all() {
    for default in [
        "",
        "params=(\"a\"), key-order=1",
        "params=(\"a\" b)",
        "params=(\"a\"",
        "params=(\"a\"),",
        "params=(\"a\", \"b\")",
        "Params=(\"a\")",
        "params=(\"ü\")",
        "params=\"a\", params",
    ] {
        assert_eq!(of(&[default]), None, "{default}");
    }
    assert_eq!(of(&["params=(\"a\")", "?"]), None, "one of the lines");
    assert_eq!(of(&["except=(\"a\")", "key-order"]), of(&["except=(\"a\"), key-order"]));
    // What is not known is ignored, and so are parameters.
    assert_eq!(of(&["params=(\"a\";x \"b\");y=1, more=(1 2), z"]), of(&["params=(\"b\" \"a\" \"a\")"]));
    // The last one counts.
    assert_eq!(of(&["params=(\"a\"), params=(\"b\")"]), of(&["params=(\"b\")"]));
}

#[test]
fn what_is_kept_of_a_header_is_bounded() {
    let many = |count: usize| format!("params=({})", "\"a\" ".repeat(count));
    let long = |length: usize| format!("params=(\"{}\")", "a".repeat(length));
    assert!(of(&[&many(MAX_NAMES)]).is_some() && of(&[&long(MAX_BYTES)]).is_some());
    assert!(of(&[&many(MAX_NAMES + 1)]).is_none() && of(&[&long(MAX_BYTES + 1)]).is_none());
}

/// Section 5.3.1.
#[test]
fn names_are_decoded() {
    let line = "params=(\"%C3%A9+%E6%B0%97\")";
    for query in ["é 気=1", "é+気=2", "%C3%A9%20気=3", "%C3%A9+%E6%B0%97=4"] {
        assert!(are_equivalent(line, Some(query), None), "{query}");
    }
    assert!(!are_equivalent(line, Some("é気=1"), None));
}

/// Section 6.1.
#[test]
fn the_documents_examples_of_queries() {
    for line in ["key-order", "params=(\"unrelated\")", "except=(\"a\")"] {
        for (one, other) in [
            (None, Some("")),
            (Some("a=x"), Some("%61=%78")),
            (Some("a=é"), Some("a=%C3%A9")),
            (Some("a=%f6"), Some("a=%ef%bf%bd")),
            (Some("a=x&&&&"), Some("a=x")),
            (Some("a="), Some("a")),
            (Some("a=%20"), Some("a= &")),
            (Some("a=+"), Some("a= &")),
        ] {
            assert!(are_equivalent(line, one, other), "{line}: {one:?}, {other:?}");
        }
        let told_apart = [
            ("a=x", "a=y"),
            ("a=x", "a=x&a=x"),
            ("a=%2B", "a=+"),
            ("a=1%262", "a=1&2"),
            // One letter, and a letter with a combining accent.
            ("a=%C3%A9", "a=e%CC%81"),
        ];
        for (one, other) in told_apart {
            let are_told_apart = !are_equivalent(line, Some(one), Some(other));
            assert!(are_told_apart || (line, one) == ("except=(\"a\")", ""), "{line}: {one}, {other}");
        }
    }
}

#[test]
fn the_order_of_one_names_values_counts() {
    assert!(are_equivalent("key-order", Some("a=1&b=2&a=3"), Some("b=2&a=1&a=3")));
    assert!(!are_equivalent("key-order", Some("a=1&b=2&a=3"), Some("b=2&a=3&a=1")));
    assert!(!are_equivalent("params=(\"c\")", Some("a=1&b=2"), Some("b=2&a=1")));
}

#[path = "../../tests/support/url_equivalence.rs"]
mod reference;

fn query() -> impl Strategy<Value = Option<String>> {
    let token = prop::sample::select(vec![
        "a",
        "b",
        "é",
        "1",
        "&",
        "&",
        "=",
        "=",
        "+",
        "%20",
        "%61",
        "%C3%A9",
        "%c3",
        "%26",
        "%3D",
        "%25",
        "%",
        "%4",
        ":",
        "@",
        "*",
        "?",
        "~",
        "\u{ff5e}",
        "\u{1f600}",
    ]);
    prop::option::of(prop::collection::vec(token, 0..8).prop_map(|tokens| tokens.concat()))
}

fn params() -> impl Strategy<Value = Vec<String>> {
    let name = prop::sample::select(vec!["a", "b", "%C3%A9", "+", "a1", "%61", "", "%c3"]);
    prop::collection::vec(name.prop_map(str::to_owned), 0..4)
}

fn header(params: Option<&[String]>, except: Option<&[String]>, key_order: bool) -> String {
    let list = |key: &str, names: &[String]| {
        let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        format!("{key}=({})", names.join(" "))
    };
    let members = [params.map(|names| list("params", names)), except.map(|names| list("except", names))];
    let order = key_order.then(|| "key-order".to_owned());
    members.into_iter().flatten().chain(order).collect::<Vec<_>>().join(", ")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn queries_are_equivalent_exactly_as_the_document_says(
        names in params(), select: bool, key_order: bool, one in query(), other in query(), shuffled: bool,
    ) {
        // Half of the time, another order of the same parameters: what is random is seldom equivalent.
        let other = match &one {
            Some(one) if shuffled => {
                Some(one.split('&').rev().chain(other.as_deref()).collect::<Vec<_>>().join("&"))
            }
            _ => other,
        };
        let (params, except) = if select { (None, Some(&names[..])) } else { (Some(&names[..]), None) };
        let line = header(params, except, key_order);
        let expected = reference::are_equivalent((params, except, key_order), [one.as_deref(), other.as_deref()]);
        match of(&[&line]) {
            Some(rule) => {
                let canonical = [&one, &other].map(|query| rule.canonical(query.as_deref()));
                prop_assert_eq!(canonical[0] == canonical[1], expected, "{}: {:?}", line, canonical);
                // The canonical form is one of the queries that it stands for.
                prop_assert_eq!(rule.canonical(Some(&canonical[0])), &canonical[0][..]);
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%&=".contains(&byte);
                prop_assert!(canonical[0].bytes().all(is_plain));
            }
            // Then they are compared byte by byte, which is not more than that.
            None => prop_assert!(names.is_empty() && !select && !key_order, "{}", line),
        }
    }

    #[test]
    fn rules_that_differ_have_other_digests(one in params(), other in params(), a: [bool; 2], b: [bool; 2]) {
        let [one, other] = [(one, a), (other, b)].map(|(names, [select, order])| UrlVariation::new(names, select, order));
        prop_assert_eq!(one == other, one.digest() == other.digest());
    }

    #[test]
    fn no_header_is_too_much_for_the_parser(line in "[ -~]{0,40}") {
        let _ = of(&[&line]);
    }
}
