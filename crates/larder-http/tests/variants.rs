//! RFC 9111, section 4.1: `Vary`.

mod support;

use support::table::{Step, case, get, run};

fn varying(vary: &'static str) -> Step {
    get().says("cache-control", "max-age=60").says("vary", vary)
}

#[tokio::test]
async fn variants() {
    let mut cases = vec![
        case(
            "one field",
            [
                varying("Foo").sends("foo", "1"),
                get().sends("foo", "1").hit(),
                get().sends("foo", "2").asked().cache_status("fwd=vary-miss"),
                get().asked(),
            ],
        ),
        case(
            "side by side",
            [
                varying("foo").sends("foo", "1").says_body("one"),
                varying("foo").sends("foo", "2").says_body("two").body("two"),
                varying("foo").sends("foo", "3").says_body("three").body("three"),
                varying("foo").says_body("none").body("none"),
                get().sends("foo", "1").hit().body("one"),
                get().sends("foo", "2").hit().body("two"),
                get().sends("foo", "3").hit().body("three"),
                get().hit().body("none"),
            ],
        ),
        case(
            "other fields do not count",
            [
                varying("foo").sends("foo", "1").sends("bar", "2"),
                get().sends("foo", "1").sends("bar", "3").hit(),
            ],
        ),
        case(
            "three fields, some absent",
            [
                varying("foo, bar").says("vary", "baz").sends("foo", "1").sends("baz", "3"),
                get().sends("baz", "3").sends("foo", "1").hit(),
                get().sends("baz", "3").sends("foo", "1").sends("bar", "2").asked(),
                get().sends("foo", "1").asked(),
            ],
        ),
        case("blanks", [varying("foo").sends("foo", "1,2"), get().sends("foo", " 1, 2 ").hit()]),
        case("lines", [varying("foo").sends("foo", "1, 2"), get().sends("foo", "1").sends("foo", "2").hit()]),
        case(
            "variants that vary by other fields",
            [
                varying("foo").sends("foo", "1").says_body("one"),
                varying("foo, bar").sends("foo", "2").sends("bar", "a").says_body("two a").asked(),
                varying("foo, bar").sends("foo", "2").sends("bar", "b").says_body("two b").asked(),
                get().sends("foo", "2").sends("bar", "a").hit().body("two a"),
                get().sends("foo", "2").sends("bar", "b").hit().body("two b"),
                get().sends("foo", "1").sends("bar", "b").hit().body("one"),
            ],
        ),
        case(
            "a variant is validated by its own tag",
            [
                varying("foo").sends("foo", "1").says("etag", "\"one\""),
                varying("foo").sends("foo", "2").says("etag", "\"two\""),
                varying("foo")
                    .after(61)
                    .sends("foo", "2")
                    .says_status(304)
                    .handler_got("if-none-match", "\"two\"")
                    .status(200),
                get().sends("foo", "2").hit(),
                get().sends("foo", "1").handler_got("if-none-match", "\"one\"").handler_got("foo", "1"),
            ],
        ),
        case(
            "nobody is asked whether another's variant still stands",
            [
                varying("foo").sends("foo", "1").says("etag", "\"one\""),
                get().sends("foo", "2").asked().handler_got_no("if-none-match"),
            ],
        ),
        case(
            "a stale variant in the first place does not hide the others",
            [
                get().says("cache-control", "max-age=2").says("vary", "foo").sends("foo", "1"),
                varying("foo").sends("foo", "2").says_body("two"),
                get().after(10).sends("foo", "2").hit().body("two"),
            ],
        ),
    ];
    for star in ["*", "*, *", ", *", "foo, *", "*, foo"] {
        cases.push(case(star, [varying(star).sends("foo", "1"), get().sends("foo", "1").asked()]));
    }
    cases.push(case("* on a line of its own", [varying("").says("vary", "*"), get().asked()]));
    cases.push(case("no name of a field", [varying("a b"), get().asked()]));
    run(cases).await;
}
