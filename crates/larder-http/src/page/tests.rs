use std::time::Duration;

use super::*;
use crate::{
    directives::ResponseDirectives,
    freshness::{Exchange, Source},
};

fn page(body: &'static [u8]) -> Page {
    let mut headers = HeaderMap::new();
    headers.append("link", HeaderValue::from_static("a"));
    headers.append("link", HeaderValue::from_bytes(b"\xfc").unwrap());
    let exchange = Exchange { sent: 1, received: 2 };
    let lifetime = (Duration::from_millis(1500), Source::Ours);
    Page::new(Stored {
        status: StatusCode::NOT_FOUND,
        vary: Vary::of(&headers, &headers).unwrap(),
        freshness: Freshness::of(&headers, &ResponseDirectives::default(), exchange, lifetime),
        headers,
        body: Bytes::from_static(body),
        own_etag: true,
        number: u64::MAX,
        tags: vec!["a".into()],
    })
}

#[test]
fn a_page_survives_being_sent() {
    let page = page(b"\0\xff body");
    let sent: Page = serde_json::from_str(&serde_json::to_string(&page).unwrap()).unwrap();
    assert_eq!((sent.status, &sent.headers, &sent.body), (page.status, &page.headers, &page.body));
    assert_eq!((&sent.vary, &sent.freshness, &sent.tags), (&page.vary, &page.freshness, &page.tags));
    assert_eq!((sent.own_etag, sent.number), (page.own_etag, page.number));
}

#[test]
fn what_is_no_response_is_refused() {
    let mut sent = serde_json::to_value(page(b"")).unwrap();
    assert!(serde_json::from_value::<Page>(sent.clone()).is_ok());
    sent["status"] = 99.into();
    assert!(serde_json::from_value::<Page>(sent.clone()).is_err());
    sent["status"] = 200.into();
    sent["headers"][0][0] = "a b".into();
    assert!(serde_json::from_value::<Page>(sent).is_err());
}

#[test]
fn a_page_weighs_what_its_body_does_and_more() {
    assert_eq!(page(b"12345").weight() - page(b"").weight(), 5);
}
