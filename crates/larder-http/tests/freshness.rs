//! RFC 9111, section 4.2: when a stored response is fresh; and how its age is told (section 5.1).

mod support;

use support::table::{Case, case, get, run};

/// Whether a response with these headers answers a second request three seconds later.
fn second(name: &'static str, headers: &[(&'static str, &'static str)], is_hit: bool) -> Case {
    let first = headers.iter().fold(get(), |step, &(name, value)| step.says(name, value)).asked();
    let again = get().after(3);
    case(name, [first, if is_hit { again.hit() } else { again.asked() }])
}

#[tokio::test]
async fn cache_control() {
    run([
        second("nothing is said", &[], false),
        second("max-age", &[("cache-control", "max-age=60")], true),
        second("max-age over", &[("cache-control", "max-age=2")], false),
        second("max-age=0", &[("cache-control", "max-age=0")], false),
        second("max-age quoted", &[("cache-control", "max-age=\"60\"")], true),
        second("max-age in single quotes", &[("cache-control", "max-age='60'")], false),
        second("max-age with leading zeros", &[("cache-control", "max-age=0060")], true),
        second("max-age of more than 32 bits", &[("cache-control", "max-age=99999999999")], true),
        second("max-age of more than 64 bits", &[("cache-control", "max-age=99999999999999999999")], true),
        second("max-age negative", &[("cache-control", "max-age=-60")], false),
        second("max-age with a fraction", &[("cache-control", "max-age=60.0")], false),
        second("max-age with letters", &[("cache-control", "max-age=60a")], false),
        second("max-age with letters before", &[("cache-control", "max-age=a60")], false),
        second("max-age without a value", &[("cache-control", "max-age")], false),
        second("max-age empty", &[("cache-control", "max-age=")], false),
        second("blank before =", &[("cache-control", "max-age =60")], false),
        second("blank after =", &[("cache-control", "max-age= 60")], false),
        second("any case", &[("cache-control", "MaX-aGe=60")], true),
        second("an extension beside", &[("cache-control", "foobar, max-age=60")], true),
        second("empty members", &[("cache-control", ", ,max-age=60,,")], true),
        second("tabs", &[("cache-control", "foo,\tmax-age=60\t")], true),
        second("max-age only in quotes", &[("cache-control", "ext=\"max-age=60\"")], false),
        second("quotes before", &[("cache-control", "ext=\"max-age=60\", max-age=1")], false),
        second("quotes after", &[("cache-control", "max-age=1, ext=\"max-age=60\"")], false),
        second("escaped quotes", &[("cache-control", "ext=\"a\\\", max-age=60\", max-age=1")], false),
        second("an open quote hides nothing", &[("cache-control", "max-age=60, ext=\"a, no-store")], false),
        second("the same twice", &[("cache-control", "max-age=60, max-age=60")], true),
        second("two that differ", &[("cache-control", "max-age=1, max-age=60")], false),
        second("two lines", &[("cache-control", "max-age=60"), ("cache-control", "foo")], true),
        second("s-maxage", &[("cache-control", "s-maxage=60")], true),
        second("s-maxage over longer max-age", &[("cache-control", "max-age=60, s-maxage=1")], false),
        second("s-maxage over shorter max-age", &[("cache-control", "s-maxage=60, max-age=1")], true),
        second(
            "s-maxage on a line of its own",
            &[("cache-control", "max-age=60"), ("cache-control", "s-maxage=1")],
            false,
        ),
        second("s-maxage invalid", &[("cache-control", "max-age=60, s-maxage=x")], false),
        second("max-age over past Expires", &[("cache-control", "max-age=60"), ("expires", "{-9}")], true),
        second("max-age over invalid Expires", &[("cache-control", "max-age=60"), ("expires", "0")], true),
        second(
            "max-age=0 over future Expires",
            &[("cache-control", "max-age=0"), ("expires", "{99}")],
            false,
        ),
        second(
            "Pragma in a response means nothing",
            &[("cache-control", "max-age=60"), ("pragma", "no-cache")],
            true,
        ),
    ])
    .await;
}

#[tokio::test]
async fn expires() {
    run([
        second("future", &[("expires", "{60}")], true),
        second("future, dated", &[("expires", "{60}"), ("date", "{0}")], true),
        second("past", &[("expires", "{-60}")], false),
        second("now", &[("expires", "{0}"), ("date", "{0}")], false),
        second("before a fast date", &[("expires", "{300}"), ("date", "{400}")], false),
        second("zero", &[("expires", "0")], false),
        second("empty", &[("expires", "")], false),
        second("weekday in capitals", &[("expires", "THU, 18 Aug 2050 02:01:18 GMT")], true),
        second("month in capitals", &[("expires", "Thu, 18 AUG 2050 02:01:18 GMT")], true),
        second("zone in odd case", &[("expires", "Thu, 18 Aug 2050 02:01:18 gMT")], true),
        second("another zone", &[("expires", "Thu, 18 Aug 2050 02:01:18 UTC")], false),
        second("year of two digits", &[("expires", "Thu, 18 Aug 50 02:01:18 GMT")], false),
        second("no comma", &[("expires", "Thu 18 Aug 2050 02:01:18 GMT")], false),
        second("two blanks", &[("expires", "Thu, 18  Aug  2050 02:01:18 GMT")], false),
        second("dashes", &[("expires", "Thu, 18-Aug-2050 02:01:18 GMT")], false),
        second("periods", &[("expires", "Thu, 18 Aug 2050 02.01.18 GMT")], false),
        second("hour of one digit", &[("expires", "Thu, 18 Aug 2050 2:01:18 GMT")], false),
        second("RFC 850", &[("expires", "Thursday, 18-Aug-50 02:01:18 GMT")], true),
        second("asctime", &[("expires", "Thu Aug 18 02:01:18 2050")], true),
        second("two that differ", &[("expires", "{60}"), ("expires", "{90}")], false),
        second("an invalid date", &[("expires", "{60}"), ("date", "foo")], true),
        second(
            "older than Date by Age, slow",
            &[("date", "{-10}"), ("expires", "{10}"), ("age", "25")],
            false,
        ),
        second(
            "older than Date by Age, fast",
            &[("date", "{10}"), ("expires", "{20}"), ("age", "15")],
            false,
        ),
    ])
    .await;
}

#[tokio::test]
async fn age() {
    let with_age = |name, age, is_hit| {
        second(name, &[("cache-control", "max-age=3600"), ("date", "{0}"), ("age", age)], is_hit)
    };
    run([
        with_age("younger", "30", true),
        with_age("older", "7200", false),
        with_age("no number", "abc", true),
        with_age("negative", "-7200", true),
        with_age("a fraction", "7200.0", true),
        with_age("the first of a list counts: old", "7200,0", false),
        with_age("the first of a list counts: young", "0,7200", true),
        second(
            "the first line counts",
            &[("cache-control", "max-age=3600"), ("age", "7200"), ("age", "0")],
            false,
        ),
        second("a slow date is an age", &[("cache-control", "max-age=60"), ("date", "{-100}")], false),
        case(
            "is told, from the first request on",
            [
                get().says("cache-control", "max-age=60").says("age", "30").says("date", "{0}"),
                get().after(5).hit().has("age", "35").cache_status("ttl=25"),
            ],
        ),
        case(
            "Date stays, Age grows",
            [
                get().says("cache-control", "max-age=60").says("date", "{0}"),
                get().after(3).hit().has("date", "{-3}").has("age", "3"),
                get().after(4).hit().has("date", "{-7}").has("age", "7"),
            ],
        ),
        case(
            "a response without a date gets one",
            [
                get().says("cache-control", "max-age=60").has("date", "{0}"),
                get().after(9).hit().has("date", "{-9}"),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn status_codes() {
    let mut cases = Vec::new();
    for status in [
        200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 451, 499, 500, 501, 502,
        503, 504, 599,
    ] {
        let fresh = || get().says_status(status).status(status);
        cases.push(case("fresh", [fresh().says("cache-control", "max-age=60"), fresh().after(3).hit()]));
        cases.push(case("stale", [fresh().says("cache-control", "max-age=2"), fresh().after(3).asked()]));
    }
    cases.push(case(
        "206 is not stored",
        [
            get().says_status(206).says("content-range", "bytes 0-3/9").says("cache-control", "max-age=60"),
            get().asked().status(200),
        ],
    ));
    cases.push(case(
        "304 to a client's own question is not stored",
        [get().says_status(304).says("cache-control", "max-age=60"), get().asked().status(200)],
    ));
    run(cases).await;
}

#[tokio::test]
async fn own_lifetimes() {
    use std::time::Duration;
    let ours = |name, steps: [support::table::Step; 2]| {
        case(name, steps).configured(|cache| cache.ttl(Duration::from_secs(60)))
    };
    run([
        ours("nothing is said", [get(), get().after(3).hit()]),
        ours("over", [get(), get().after(60).asked()]),
        ours("the handler's word counts", [get().says("cache-control", "max-age=1"), get().after(3).asked()]),
        ours("no-cache is a word", [get().says("cache-control", "no-cache"), get().asked()]),
        ours("an invalid lifetime is a word", [get().says("cache-control", "max-age=x"), get().asked()]),
        ours("past Expires is a word", [get().says("expires", "0"), get().asked()]),
        ours("404 is cacheable by itself", [get().says_status(404), get().hit().status(404)]),
        ours("500 is not", [get().says_status(500), get().asked()]),
        ours("302 is not", [get().says_status(302), get().asked()]),
        ours("no client's cookie", [get().sends("cookie", "a=b"), get().asked()]),
        ours("nor to one client's", [get(), get().sends("cookie", "a=b").asked()]),
        ours("no client's authorization", [get().sends("authorization", "x"), get().asked()]),
        ours("nor to one client's, again", [get(), get().sends("authorization", "x").asked()]),
        case("under a path", [get().path("/assets/a"), get().path("/assets/a").hit()])
            .configured(|cache| cache.ttl_under("/assets", Duration::from_secs(60))),
        case("not under a longer name", [get().path("/assets-of/a"), get().path("/assets-of/a").asked()])
            .configured(|cache| cache.ttl_under("/assets", Duration::from_secs(60))),
        case("the longest prefix counts", [get().path("/a/b/c"), get().path("/a/b/c").after(5).asked()])
            .configured(|cache| {
                cache.ttl_under("/a", Duration::from_secs(60)).ttl_under("/a/b", Duration::from_secs(1))
            }),
    ])
    .await;
}

#[tokio::test]
async fn heuristics() {
    run([
        case("off by default", [get().says("last-modified", "{-100000}"), get().asked()]),
        case(
            "a tenth",
            [get().says("last-modified", "{-1000}"), get().after(99).hit(), get().after(2).asked()],
        )
        .configured(larder_http::HttpCache::heuristic_freshness),
        case("a day at most", [get().says("last-modified", "{-99999999}"), get().after(86_400).asked()])
            .configured(larder_http::HttpCache::heuristic_freshness),
        case("not for any status", [get().says_status(500).says("last-modified", "{-1000}"), get().asked()])
            .configured(larder_http::HttpCache::heuristic_freshness),
    ])
    .await;
}

#[tokio::test]
async fn very_long_lifetimes_are_stored() {
    run([case(
        "as long as can be said",
        [
            get().says(
                "cache-control",
                "max-age=99999999999999999999, stale-while-revalidate=99999999999999999999",
            ),
            get().after(10).hit(),
        ],
    )])
    .await;
}
