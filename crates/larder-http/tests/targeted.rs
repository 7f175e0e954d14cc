//! RFC 9213: lifetimes for this cache, for CDNs and for browsers; and those of the handler's own code.

mod support;

use larder_http::HttpCache;
use support::{
    servers::OVERRIDE_TTL,
    table::{Step, case, get, method, run},
};

const OWN: &str = "larder-cache-control";
const CDN: &str = "cdn-cache-control";

fn three() -> Step {
    get().says(OWN, "max-age=60").says(CDN, "max-age=30").says("cache-control", "max-age=10")
}

/// What a response says that is for others.
fn for_others(step: Step) -> Step {
    step.lacks(OWN).has(CDN, "max-age=30").has("cache-control", "max-age=10")
}

#[tokio::test]
async fn three_lifetimes() {
    run([
        case(
            "each has its own, and whole",
            [
                for_others(three().asked()),
                for_others(get().after(50).hit().has("age", "0").has("date", "{0}").cache_status("ttl=10")),
                for_others(three().after(11).asked()),
            ],
        ),
        case(
            "of other fields the age counts",
            [
                get().says(CDN, "max-age=30").says("cache-control", "max-age=10"),
                get().after(20).hit().has("age", "20").has("date", "{-20}").has(CDN, "max-age=30"),
                get().after(11).asked(),
            ],
        ),
        case(
            "Expires is moved on for others, and does not count here",
            [
                get().says(OWN, "max-age=60").says("expires", "{20}").says("date", "{0}"),
                get().after(30).hit().has("expires", "{20}").has("date", "{0}").lacks("cache-control"),
            ],
        ),
        case(
            "an Expires in the past is for others",
            [get().says(CDN, "max-age=60").says("expires", "0"), get().after(30).hit().has("expires", "0")],
        ),
        case(
            "without a lifetime for others, these ask each time",
            [
                get().says(OWN, "max-age=60").has("cache-control", "no-cache").lacks(OWN),
                get().after(30).hit().has("cache-control", "no-cache").lacks(OWN),
            ],
        ),
        case(
            "a shorter one here counts too",
            [get().says(OWN, "max-age=5").says("cache-control", "max-age=60"), get().after(6).asked()],
        ),
        case(
            "stale windows",
            [
                get().says(OWN, "max-age=5, stale-if-error=60").says("cache-control", "no-store"),
                get().after(10).says_status(503).status(200).body("body").has("cache-control", "no-store"),
            ],
        ),
        case(
            "a client has it already, for its own lifetime anew",
            [
                three().says("etag", "\"a\""),
                for_others(
                    get()
                        .after(50)
                        .sends("if-none-match", "\"a\"")
                        .hit()
                        .status(304)
                        .has("age", "0")
                        .has("date", "{0}"),
                ),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn which_field_counts() {
    let longer = || get().says("cache-control", "max-age=60");
    run([
        case(
            "an invalid one does not",
            [longer().says(OWN, "max-age=5, &"), get().after(30).hit().lacks(OWN)],
        ),
        case("nor one of a wrong type", [longer().says(OWN, "max-age=\"5\""), get().after(30).hit()]),
        case("nor in the wrong case", [longer().says(CDN, "Max-Age=5"), get().after(30).hit()]),
        case("nor an empty one", [longer().says(OWN, ""), get().after(30).hit().lacks(OWN)]),
        case(
            "an invalid one leaves it to the next",
            [
                get().says(OWN, "max-age=60s").says(CDN, "max-age=5").says("cache-control", "max-age=60"),
                get().after(6).asked(),
            ],
        ),
        case(
            "the lines are one field",
            [
                longer().says(CDN, "max-age=5").says(CDN, "max-age=20, x;y=1"),
                get().after(10).hit(),
                get().after(11).asked(),
            ],
        ),
        case("a field without a lifetime gives none", [longer().says(CDN, "x"), get().asked()]),
        case(
            "a list of one's own",
            [
                get().says("edge-cache-control", "max-age=60").says(CDN, "max-age=5"),
                get().after(30).hit().has("edge-cache-control", "max-age=60").has(CDN, "max-age=5"),
            ],
        )
        .configured(|cache| cache.targeted_cache_control(["Edge-Cache-Control", CDN])),
        case(
            "a field that is not in the list changes nothing, and is passed on",
            [
                longer().says(OWN, "no-store").says(CDN, "no-store"),
                get().after(30).hit().has(OWN, "no-store").has(CDN, "no-store").has("age", "30"),
            ],
        )
        .configured(|cache| cache.targeted_cache_control([])),
    ])
    .await;
}

/// What a handler permits others is not permitted here, and the other way round; what forbids does so however it is
/// written.
#[tokio::test]
async fn what_is_permitted_and_forbidden() {
    let mut cases = vec![
        case(
            "what is private for others may be shared here",
            [
                get().says(OWN, "max-age=60").says("cache-control", "private, max-age=5"),
                get().after(30).hit().has("cache-control", "private, max-age=5"),
            ],
        ),
        case(
            "what is not stored by others may be here",
            [get().says(CDN, "max-age=60").says("cache-control", "no-store"), get().hit()],
        ),
        case(
            "headers that are private here",
            [
                get().says(OWN, "max-age=60, private=\"x\"").says("x", "1").has("x", "1"),
                get().hit().lacks("x"),
            ],
        ),
        case(
            "nginx is not given what is private",
            [
                get()
                    .says(OWN, "max-age=60")
                    .says("cache-control", "private, max-age=5")
                    .has("x-accel-expires", "0"),
                get().hit().has("x-accel-expires", "0"),
                three().path("/public").has("x-accel-expires", "10"),
                get().path("/public").after(50).hit().has("x-accel-expires", "10"),
                get().path("/cdn").says(CDN, "max-age=60").says("cache-control", "max-age=10"),
                get().path("/cdn").after(4).hit().has("x-accel-expires", "6"),
            ],
        )
        .configured(HttpCache::accel_expires),
    ];
    for (name, alice, bob) in [("authorization", "alice", "bob"), ("cookie", "id=alice", "id=bob")] {
        for (own, others, is_shared) in [
            ("max-age=60", "public, s-maxage=60, must-revalidate", false),
            ("max-age=60, public=?0", "public, max-age=60", true),
            ("max-age=60, public=x", "max-age=60", false),
            ("max-age=60, Public", "max-age=60", false),
            ("s-maxage=60.5", "max-age=60", false),
            ("max-age=60, public", "private", true),
            ("s-maxage=60", "no-store", true),
        ] {
            let step = || get().says(OWN, own).says("cache-control", others).says_body("alice's");
            let again = get().sends(name, bob).says_body("bob's");
            let again = if is_shared { again.hit().body("alice's") } else { again.asked().body("bob's") };
            cases.push(case(own, [step().sends(name, alice).asked(), again]));
        }
    }
    for own in [
        "no-store",
        "private",
        "no-store, max-age=60",
        "max-age=60, private, private=\"x\"",
        "No-Store",
        "PRIVATE, max-age=60",
        "no-store; X",
        "private=1, max-age=60",
        "max-age=60; no-store",
    ] {
        // A parameter means nothing.
        if own == "max-age=60; no-store" {
            cases.push(case(own, [get().says(OWN, own), get().hit()]));
            continue;
        }
        let says = || get().says(OWN, own).says("cache-control", "public, max-age=60");
        cases.push(case(own, [says().asked().lacks(OWN), says().asked().lacks(OWN)]));
    }
    run(cases).await;
}

#[tokio::test]
async fn the_own_field_stays_here() {
    run([
        case(
            "whatever becomes of the request",
            [
                method("POST").says(OWN, "max-age=60").lacks(OWN),
                get().sends("cache-control", "no-store").says(OWN, "max-age=60").lacks(OWN),
                method("HEAD").says(OWN, "max-age=60").lacks(OWN),
                get().says(OWN, "no-store").lacks(OWN),
                get().says_status(500).says(OWN, "no-cache").lacks(OWN),
                get().says(OWN, "max-age=60").lacks(OWN),
                method("HEAD").hit().lacks(OWN),
            ],
        ),
        case(
            "a 304 without it leaves it as it was",
            [
                three().says("etag", "\"a\""),
                get().after(61).says_status(304).says("etag", "\"a\"").asked().lacks(OWN),
                for_others(get().after(50).hit()),
            ],
        ),
        case(
            "a 304 with another one replaces it",
            [
                three().says("etag", "\"a\""),
                get().after(61).says_status(304).says(OWN, "max-age=5").asked().lacks(OWN),
                get().after(6).asked(),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_extension_can_win() {
    let overriding = || get().says(OVERRIDE_TTL, "60");
    run([
        case(
            "over Cache-Control",
            [
                overriding().says("cache-control", "max-age=5").has("cache-control", "max-age=5"),
                get().after(50).hit().has("cache-control", "max-age=5").has("age", "0"),
                get().after(11).asked(),
            ],
        ),
        case(
            "over Expires, and over a longer lifetime",
            [
                overriding().says("expires", "{600}").says("date", "{0}"),
                get().after(50).hit().has("expires", "{600}"),
                get().after(11).asked(),
            ],
        ),
        case("over other fields", [overriding().says(OWN, "max-age=5"), get().after(50).hit()]),
        case("without any", [overriding(), get().after(50).hit()]),
        case(
            "a 304 leaves it as it was",
            [
                overriding().says("cache-control", "max-age=5").says("etag", "\"a\""),
                get().after(61).says_status(304).says("cache-control", "max-age=5").asked(),
                get().after(50).hit(),
            ],
        ),
        case("not over no-store", [overriding().says("cache-control", "no-store, max-age=5"), get().asked()]),
        case("not over private", [overriding().says("cache-control", "private, max-age=5"), get().asked()]),
        case("not over no-cache", [overriding().says("cache-control", "no-cache, max-age=5"), get().asked()]),
        case(
            "it permits nothing",
            [
                overriding().sends("authorization", "alice").says("cache-control", "max-age=5"),
                get().sends("authorization", "bob").asked(),
            ],
        ),
    ])
    .await;
}

#[test]
#[should_panic(expected = "counts last by itself")]
fn cache_control_is_no_targeted_field() {
    let _ = HttpCache::new(larder::MemoryCache::new(1)).targeted_cache_control(["Cache-Control"]);
}
