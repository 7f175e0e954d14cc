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
            "no client's request asks whether another's variant still stands",
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

const MAX_AGE: (&str, &str) = ("cache-control", "max-age=60");

fn says_all(step: Step, fields: &[(&'static str, &'static str)]) -> Step {
    fields.iter().fold(step.says(MAX_AGE.0, MAX_AGE.1), |step, (name, value)| step.says(name, value))
}

/// What a server that offers brotli and gzip says.
fn coded(accept: &'static str, coding: Option<&'static str>) -> Step {
    let step = says_all(get(), &[("vary", "accept-encoding")]).sends("accept-encoding", accept);
    coding.into_iter().fold(step, |step, coding| step.says("content-encoding", coding).says_body(coding))
}

fn in_language(accept: &'static str, language: &'static str) -> Step {
    says_all(get(), &[("vary", "accept-language"), ("content-language", language)])
        .sends("accept-language", accept)
        .says_body(language)
}

#[tokio::test]
async fn what_asks_for_the_same_shares_variants() {
    let gzip = || coded("gzip", Some("gzip"));
    run([
        case(
            "spellings of accept-encoding",
            [
                gzip(),
                coded("GZIP", None).hit().body("gzip"),
                coded("gzip;q=0.3, foo", None).hit(),
                coded("gzip;q=0.9, br;q=0.3", None).hit(),
                coded("x-gzip , identity;q=0.1", None).hit(),
                coded("gzip, br", Some("br")).asked().body("br"),
                coded("br,gzip;q=1.0", None).hit().body("br"),
                coded("", None).asked().body("body"),
                coded("identity", None).hit().body("body"),
                coded("br;q=0", None).hit().body("body"),
                get().asked(),
            ],
        ),
        case(
            "an uncompressed response is not for all",
            [coded("", None), coded("gzip", Some("gzip")).asked().body("gzip")],
        ),
        case(
            "a client without compression gets none",
            [gzip(), get().asked().body("body"), coded("gzip;q=0", None).asked().body("body")],
        ),
        case(
            "a coding of the server's own",
            [
                coded("gzip, own", Some("own")),
                coded("gzip", Some("gzip")).asked().body("gzip"),
                coded("gzip", None).hit().body("gzip"),
                coded("own,gzip", None).hit().body("own"),
            ],
        ),
        case("a weight that is none", [gzip(), coded("gzip;q=2", None).asked()]),
        case(
            "another header in vary still counts",
            [
                gzip().says("vary", "foo").sends("foo", "1"),
                coded("gzip;q=0.5, br;q=0.1", None).sends("foo", "1").asked(),
                gzip().says("vary", "foo").sends("foo", "2").asked(),
            ],
        ),
        case(
            "languages",
            [
                in_language("en, de", "en"),
                in_language("EN;q=0.9, de;q=0.9", "no").hit(),
                in_language("de, en", "de").asked().body("de"),
                in_language("de, en;q=0.1", "de").asked().body("de"),
                in_language("fr;q=0.5, de", "no").hit().body("de"),
                in_language("de;q=0.5", "no").hit().body("de"),
                in_language("fr, de", "fr").asked().body("fr"),
                in_language("de-at", "de-at").asked().body("de-at"),
            ],
        ),
        case(
            "the order of languages",
            [in_language("de, en", "de"), in_language("en, de", "no").hit().body("de")],
        )
        .configured(larder_http::HttpCache::ignore_language_order),
        case(
            "what is private is shared in no language",
            [
                in_language("de", "de").says("cache-control", "private"),
                in_language("de;q=0.5, fr;q=0.1", "de").asked(),
                in_language("fr", "fr").sends("authorization", "Basic x"),
                in_language("fr;q=0.9, de;q=0.1", "fr").asked(),
                in_language("it", "it").says("set-cookie", "a=b"),
                in_language("it;q=0.9, de;q=0.1", "it").asked(),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_normal_form_of_the_user_s_own() {
    let by_device = |cache: larder_http::HttpCache| {
        cache
            .ttl(std::time::Duration::from_secs(60))
            .normalize("user-agent", |agent| if agent.contains("Mobi") { "mobile" } else { "desktop" }.into())
    };
    let device = || says_all(get(), &[("vary", "user-agent")]);
    run([
        case(
            "two devices",
            [
                device().sends("user-agent", "A Mobi 1").says_body("mobile"),
                device().sends("user-agent", "B Mobi 2").hit().body("mobile"),
                device().sends("user-agent", "A 1").asked().says_body("desktop").body("desktop"),
                device().hit().body("desktop"),
            ],
        )
        .configured(by_device),
        case(
            "a header with a normal form tells no clients apart",
            [
                get().says("vary", "x-user").sends("x-user", "ann").cache_status("detail=personal"),
                get().says("vary", "x-user").sends("x-user", "ann").asked(),
                get().says("vary", "x-user").sends("x-user", "bob").asked(),
            ],
        )
        .configured(|cache| {
            cache.ttl(std::time::Duration::from_secs(60)).normalize("x-user", |_| "all".into())
        }),
        case(
            "nor does a cookie",
            [
                varying("cookie").sends("cookie", "a").cache_status("detail=cookie"),
                varying("cookie").sends("cookie", "b").asked(),
            ],
        )
        .configured(|cache| cache.normalize("cookie", |_| String::new())),
    ])
    .await;
}

#[tokio::test]
async fn thousands_of_spellings_make_few_copies() {
    use support::{Said, TestClock, client, handler, http_cache, servers::Framework};
    for &framework in Framework::ALL {
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = asked.clone();
        let handler = handler(move |seen| {
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let accepts = seen.header("accept-encoding").is_some_and(|accepts| accepts.contains("gzip"));
            let coding = if accepts { "gzip" } else { "identity" };
            std::future::ready(Said::new(
                &[MAX_AGE, ("vary", "accept-encoding"), ("content-encoding", coding)],
                "x",
            ))
        });
        let server = framework.serve(http_cache(&TestClock::new()), handler).await;
        for n in 0..500 {
            let spelling = format!("gzip;q=0.{:03}, br;q=0.{:03}, own-{n}", n + 1, n * 7 % 1000);
            client::get(server.address, "/", &[("accept-encoding", &spelling)]).await;
        }
        let asked = asked.load(std::sync::atomic::Ordering::SeqCst);
        assert!(asked <= 4, "{framework:?}: {asked} copies of 500 spellings");
    }
}

#[tokio::test]
async fn one_variant_too_many_drops_the_oldest() {
    let of = |foo| varying("foo").sends("foo", foo);
    run([case(
        "two beside the first one",
        [
            of("first"),
            of("1").asked(),
            of("2").asked(),
            of("1").hit(),
            of("3").asked(),
            of("first").hit(),
            of("2").hit(),
            of("3").hit(),
            of("1").asked(),
        ],
    )
    .configured(|cache| cache.max_variants(2))])
    .await;
}
