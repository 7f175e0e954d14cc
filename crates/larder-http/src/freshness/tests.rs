use http::HeaderName;

use super::*;

const NOW: Millis = 1_700_000_000_000;

fn headers(fields: &[(&'static str, String)]) -> HeaderMap {
    let fields = fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    fields.collect()
}

fn date(offset: i64) -> String {
    let time = NOW.checked_add_signed(offset * 1000).unwrap();
    date::value(time).to_str().unwrap().to_owned()
}

/// Of a response that took a second.
fn freshness(cache_control: &str, more: &[(&'static str, String)]) -> Freshness {
    freshness_if(cache_control, more, false)
}

fn freshness_if(cache_control: &str, more: &[(&'static str, String)], extends_s_maxage: bool) -> Freshness {
    let mut fields = vec![("cache-control", cache_control.to_owned())];
    fields.extend_from_slice(more);
    let headers = headers(&fields);
    let directives = ResponseDirectives::of(&headers);
    let lifetime = declared_lifetime(&headers, &directives, NOW).unwrap_or_default();
    let exchange = Exchange { sent: NOW - 1000, received: NOW, shared: NOW, at: None };
    Freshness::of(&headers, &directives, exchange, (lifetime, Source::Origin), extends_s_maxage)
}

fn asked(cache_control: &str) -> RequestDirectives {
    RequestDirectives::of(&headers(&[("cache-control", cache_control.to_owned())]))
}

fn after(seconds: u64) -> Millis {
    NOW + seconds * 1000
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn section_4_2_3_the_age_is_the_larger_of_two_and_grows() {
    assert_eq!(freshness("max-age=9", &[]).age(NOW), secs(1), "the time on the way counts");
    assert_eq!(freshness("", &[("age", "30".into())]).age(after(5)), secs(36));
    assert_eq!(freshness("", &[("date", date(-50))]).age(after(5)), secs(55));
    assert_eq!(freshness("", &[("age", "30".into()), ("date", date(-50))]).age(NOW), secs(50));
    assert_eq!(freshness("", &[("age", "70".into()), ("date", date(-50))]).age(NOW), secs(71));
    assert_eq!(freshness("", &[("date", date(50))]).age(NOW), secs(1), "a fast clock is no negative age");
    assert_eq!(freshness("", &[]).age(NOW - 99_000), secs(1), "nor is a clock that is set back");
}

#[test]
fn section_4_2_1_the_order_of_lifetimes() {
    let lifetime = |line, more: &[_]| freshness(line, more).lifetime;
    assert_eq!(lifetime("max-age=1, s-maxage=2", &[("expires", date(3))]), secs(2));
    assert_eq!(lifetime("max-age=1", &[("expires", date(3))]), secs(1));
    assert_eq!(lifetime("", &[("expires", date(3))]), secs(3));
    assert_eq!(lifetime("", &[("expires", date(3)), ("date", date(-3))]), secs(6));
    assert_eq!(lifetime("", &[("expires", "0".into())]), secs(0));
}

#[test]
fn a_response_is_fresh_until_its_age_is_its_lifetime() {
    let page = freshness("max-age=10", &[]);
    assert_eq!(page.reuse(&asked(""), after(8)), Reuse::Fresh);
    assert_eq!(page.reuse(&asked(""), after(9)), Reuse::Revalidate);
}

#[test]
fn section_5_2_1_requests_may_ask_for_less_or_more() {
    let page = freshness("max-age=10", &[]);
    assert_eq!(page.reuse(&asked("max-age=5"), after(4)), Reuse::Fresh);
    assert_eq!(page.reuse(&asked("max-age=5"), after(5)), Reuse::RevalidateOnRequest);
    assert_eq!(page.reuse(&asked("min-fresh=5"), after(4)), Reuse::Fresh);
    assert_eq!(page.reuse(&asked("min-fresh=5"), after(5)), Reuse::RevalidateOnRequest);
    assert_eq!(page.reuse(&asked("no-cache"), NOW), Reuse::RevalidateOnRequest);
    assert_eq!(page.reuse(&asked("max-stale=5"), after(14)), Reuse::Stale);
    assert_eq!(page.reuse(&asked("max-stale=5"), after(15)), Reuse::Revalidate);
    assert_eq!(page.reuse(&asked("max-stale"), after(9999)), Reuse::Stale);
    assert_eq!(page.reuse(&asked("max-stale, min-fresh=1"), after(15)), Reuse::RevalidateOnRequest);
}

#[test]
fn section_4_2_4_what_forbids_stale_responses_does() {
    for rule in ["must-revalidate", "proxy-revalidate", "no-cache"] {
        let page =
            freshness(&format!("max-age=10, stale-while-revalidate=99, stale-if-error=99, {rule}"), &[]);
        assert_eq!(page.reuse(&asked("max-stale"), after(20)), Reuse::Revalidate, "{rule}");
        assert!(!page.serves_on_error(&asked("stale-if-error=99"), after(20)), "{rule}");
    }
    let page = freshness("s-maxage=10", &[]);
    assert_eq!(page.reuse(&asked("max-stale"), after(20)), Reuse::Revalidate);
    assert!(!page.serves_on_error(&asked("stale-if-error=99"), after(20)));
    for shared in ["s-maxage=10", "s-maxage=10x", "s-maxage"] {
        let says = format!("{shared}, stale-while-revalidate=99, stale-if-error=99");
        let page = freshness(&says, &[]);
        assert_eq!(page.reuse(&asked(""), after(20)), Reuse::Revalidate, "{says}");
        assert!(!page.serves_on_error(&asked(""), after(20)), "{says}");
        assert_eq!(page.retention(after(20), Duration::ZERO), Duration::ZERO, "{says}");
        let page = freshness_if(&says, &[], true);
        assert_eq!(page.reuse(&asked(""), after(20)), Reuse::StaleWhileRevalidate, "the response's own word");
        assert!(page.serves_on_error(&asked(""), after(20)));
    }
}

#[test]
fn rfc_5861_windows_count_from_the_end_of_freshness() {
    let page = freshness("max-age=10, stale-while-revalidate=5, stale-if-error=7", &[]);
    assert_eq!(page.reuse(&asked(""), after(13)), Reuse::StaleWhileRevalidate);
    assert_eq!(page.reuse(&asked(""), after(14)), Reuse::Revalidate);
    assert_eq!(
        page.reuse(&asked("max-age=99"), after(13)),
        Reuse::Revalidate,
        "who names an age takes nothing stale"
    );
    assert!(page.serves_on_error(&asked(""), after(16)));
    assert!(!page.serves_on_error(&asked(""), after(17)));
    assert!(page.serves_on_error(&asked("stale-if-error=8"), after(17)));
}

#[test]
fn it_is_kept_for_as_long_as_it_may_be_of_use() {
    let page = freshness("max-age=10, stale-while-revalidate=5, stale-if-error=7", &[]);
    assert_eq!(page.retention(NOW, secs(0)), secs(16));
    assert_eq!(page.retention(NOW, secs(60)), secs(69));
}

#[test]
fn section_4_2_2_a_guess_is_a_tenth_and_a_day_at_most() {
    let guess = |modified| heuristic_lifetime(&headers(&[("last-modified", date(modified))]), NOW);
    assert_eq!(guess(-1000), Some(secs(100)));
    assert_eq!(guess(-100_000_000), Some(secs(86_400)));
    assert_eq!(guess(1000), None);
}

/// The clock that is never set tells a later time than the one that was set back by an hour.
#[test]
fn a_clock_that_is_set_back_makes_no_response_younger() {
    let received_at = Instant::now().checked_sub(secs(5));
    assert!(received_at.is_some(), "the machine is up for so long");
    let stored = Freshness { received_at, ..freshness("max-age=4", &[]) };
    let now = stored.judged_at(NOW - 3_600_000);
    assert!(stored.age(now) >= secs(5));
    assert_eq!(stored.reuse(&RequestDirectives::default(), now), Reuse::Revalidate);
    assert_eq!(stored.judged_at(after(3600)), after(3600), "nor older");
}

#[test]
fn section_5_2_1_max_stale_widens_max_age() {
    let stored = freshness("max-age=60", &[("age", "19".into())]);
    assert_eq!(stored.age(NOW), secs(20));
    assert_eq!(stored.reuse(&asked("max-age=5, max-stale=10"), NOW), Reuse::RevalidateOnRequest);
    assert_eq!(stored.reuse(&asked("max-age=10, max-stale=10"), NOW), Reuse::Fresh);
    assert_eq!(stored.reuse(&asked("max-age=5, max-stale"), NOW), Reuse::Fresh);
}
