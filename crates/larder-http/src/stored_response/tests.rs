use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use http::HeaderValue;
use larder::{CacheExt as _, Entry, MemoryCache, Policy};

use super::*;
use crate::{cache_control::ResponseDirectives, freshness::Exchange, headers::MAX_HEADERS};

fn stored(body: &'static [u8]) -> StoredResponse {
    let mut headers = HeaderMap::new();
    headers.append("link", HeaderValue::from_static("a"));
    headers.append("link", HeaderValue::from_bytes(b"\xfc").unwrap());
    let exchange = Exchange { sent: 1, received: 2, shared: 2, at: None };
    let lifetime = (Duration::from_millis(1500), Source::Configured);
    StoredResponse::new(StoredParts {
        status: StatusCode::NOT_FOUND,
        vary: Vary::of(&headers, &headers, &crate::normalization::Selecting::default()).unwrap(),
        freshness: Freshness::of(&headers, &ResponseDirectives::default(), exchange, lifetime, false),
        headers,
        body: Bytes::from_static(body),
        generated_etag: true,
        id: u64::MAX,
        tags: vec!["a".into()],
        took: None,
    })
}

#[test]
fn a_stored_response_survives_being_sent() {
    let stored = stored(b"\0\xff body");
    let sent: StoredResponse = serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
    assert_eq!((sent.status, &sent.headers, &sent.body), (stored.status, &stored.headers, &stored.body));
    assert_eq!((&sent.vary, &sent.freshness, &sent.tags), (&stored.vary, &stored.freshness, &stored.tags));
    assert_eq!((sent.generated_etag, sent.id), (stored.generated_etag, stored.id));
}

/// A header that is made for each response is no news, and neither is a time.
#[test]
fn a_response_is_news_by_its_representation() {
    let with = |name: &'static str, value: &'static str| {
        let mut parts = StoredParts::clone(&stored(b""));
        parts.headers.insert(name, HeaderValue::from_static(value));
        StoredResponse::new(parts)
    };
    let names = [
        "date",
        "age",
        "expires",
        "x-request-id",
        "server-timing",
        "cf-ray",
        "x-ratelimit-remaining",
        "content-security-policy",
    ];
    for name in names {
        assert!(!with(name, "1").is_other_than(&with(name, "2")), "{name}");
        assert!(!with(name, "1").is_other_than(&stored(b"")), "{name}");
    }
    for name in [
        "etag",
        "link",
        "location",
        "vary",
        "last-modified",
        "content-type",
        "content-language",
        "cache-control",
        "cdn-cache-control",
        "no-vary-search",
    ] {
        assert!(with(name, "1").is_other_than(&with(name, "2")), "{name}");
        assert!(with(name, "1").is_other_than(&stored(b"")), "{name}");
        assert!(stored(b"").is_other_than(&with(name, "1")), "{name}");
    }
    assert!(stored(b"a").is_other_than(&stored(b"b")));
    assert!(!stored(b"a").is_other_than(&stored(b"a")));
    let of_another_status = StoredParts { status: StatusCode::GONE, ..StoredParts::clone(&stored(b"a")) };
    assert!(StoredResponse::new(of_another_status).is_other_than(&stored(b"a")));
}

#[test]
fn what_is_not_a_response_is_refused() {
    let mut sent = serde_json::to_value(stored(b"")).unwrap();
    assert!(serde_json::from_value::<StoredResponse>(sent.clone()).is_ok());
    sent["status"] = 99.into();
    assert!(serde_json::from_value::<StoredResponse>(sent.clone()).is_err());
    sent["status"] = 200.into();
    sent["headers"][0][0] = "a b".into();
    assert!(serde_json::from_value::<StoredResponse>(sent).is_err());
}

/// Whatever another process put there: none of it is served, and nothing of it panics.
#[test]
fn a_response_that_would_not_have_been_stored_here_is_refused() {
    let good = serde_json::to_value(stored(b"12345")).unwrap();
    let header = |name: &str, value: &[u8]| serde_json::json!([name, value]);
    let refuses = |what: &str, field: &str, value: serde_json::Value| {
        let mut sent = good.clone();
        sent[field] = value;
        assert!(serde_json::from_value::<StoredResponse>(sent).is_err(), "{what}");
    };
    let many = |names: &dyn Fn(usize) -> String, count: usize| {
        serde_json::Value::Array((0..count).map(|n| header(&names(n), b"y")).collect())
    };
    refuses("40,000 lines of one header", "headers", many(&|_| "x".into(), 40_000));
    refuses("40,000 headers", "headers", many(&|n| format!("x{n}"), 40_000));
    refuses("more than are stored", "headers", many(&|n| format!("x{n}"), MAX_HEADERS + 1));
    for (name, value) in
        [("content-length", &b"6"[..]), ("content-length", b"x"), ("transfer-encoding", b"chunked")]
    {
        refuses(name, "headers", serde_json::json!([header(name, value)]));
    }
    refuses("a line that ends", "headers", serde_json::json!([header("x", b"a\r\nb: c")]));
    for status in [99, 100, 101, 206, 304, 1000] {
        refuses("a status", "status", status.into());
    }
    refuses("a name", "vary", serde_json::json!({ "names": ["a b"], "chosen_by": vec![0; 20] }));
    let most = many(&|n| format!("x{n}"), MAX_HEADERS);
    let mut sent = good.clone();
    sent["headers"] = most;
    assert!(serde_json::from_value::<StoredResponse>(sent).is_ok(), "as many as are stored");
}

#[test]
fn a_response_weighs_what_its_body_does_and_more() {
    assert_eq!(stored(b"12345").weight() - stored(b"").weight(), 5);
}

/// Its entry has the scopes of all that its handler has read.
#[tokio::test]
async fn a_response_weighs_what_it_was_made_from() {
    static HEAVIEST: AtomicU32 = AtomicU32::new(0);
    let weigher = |key: &str, entry: &Entry| {
        HEAVIEST.fetch_max(weigh(key, entry), Ordering::Relaxed);
        1
    };
    let cache = MemoryCache::builder().capacity(100).weigher(weigher).build().unwrap();
    let mut weights = Vec::new();
    for reads in [0, 20] {
        let respond = || async {
            for n in 0..reads {
                assert_eq!(cache.get::<u32>(&n.to_string()).await.unwrap(), None);
            }
            Ok::<_, Infallible>(stored(b""))
        };
        HEAVIEST.store(0, Ordering::Relaxed);
        let key = format!("response{reads:02}");
        cache.get_or_compute(&key, Policy::ttl(Duration::from_secs(60)), respond).await.unwrap();
        weights.push(HEAVIEST.load(Ordering::Relaxed));
    }
    assert_eq!(weights[1] - weights[0], 20 * 8, "{weights:?}");
}
