//! Time limits of requests.

use std::time::Duration;

use larder_http::HttpCache;

use super::{TestClock, Upstream, client, client_of, memory, text};

/// The first request has all the time that there is, and the second one has not.
#[tokio::test]
async fn a_request_that_waits_for_another_one_keeps_its_time_limit() {
    let upstream = Upstream::start().await;
    let (client, url) = (client(), upstream.url("/hangs?cache-control=max-age=60"));
    let leader = tokio::spawn({
        let (client, url) = (client.clone(), url.clone());
        async move { text(&client, &url, &[]).await }
    });
    while upstream.count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..2 {
        let request = client.client().get(&url).timeout(Duration::from_millis(50)).build().unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(20), client.execute(request)).await;
        let error = answered.expect("it does not wait for the other one").unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(error.url().map(reqwest::Url::as_str), Some(url.as_str()));
    }
    assert_eq!(upstream.count(), 1, "what has no time left is not sent");
    assert!(!leader.is_finished());
    leader.abort();
}

#[tokio::test]
async fn in_place_of_the_error_of_a_request_that_took_too_long_a_stale_response_is_served() {
    let upstream = Upstream::start().await;
    let clock = TestClock::new();
    let now = clock.clone();
    let client = client_of(&HttpCache::client(memory()).identity("tests").clock(move || now.now()));
    let url = upstream.url("/slow?cache-control=max-age=60,+stale-if-error=600&etag=%221%22");
    assert_eq!(text(&client, &url, &[]).await, "1");
    clock.advance(61);
    let request = client.client().get(&url).timeout(Duration::from_millis(50)).build().unwrap();
    let stale = client.execute(request).await.unwrap();
    assert!(stale.headers()["cache-status"].to_str().unwrap().contains("fwd=stale"));
    assert_eq!(stale.text().await.unwrap(), "1");
}
