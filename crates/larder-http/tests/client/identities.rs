//! For whom requests are made: no identity gets what is for another one.

use larder_http::{CachedClient, HttpCache};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Upstream, client_of, memory, text};

const PRIVATE: &str = "/me?cache-control=private,+max-age=60";

/// A client that adds a header to each request where the cache does not see it.
fn with_default(cache: &HttpCache, name: &'static str, value: &'static str) -> CachedClient {
    let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
    cache.reqwest(reqwest::Client::builder().default_headers(headers).build().unwrap())
}

/// What two requests get of a service that numbers its responses: equal if the second one got that of the first.
async fn both(upstream: &Upstream, path: &str, clients: [&CachedClient; 2]) -> bool {
    let url = upstream.url(path);
    text(clients[0], &url, &[]).await == text(clients[1], &url, &[]).await
}

/// A cache in front of handlers stores none of these.
#[tokio::test]
async fn each_identity_has_responses_of_its_own() {
    let upstream = Upstream::start().await;
    let client = client_of(&HttpCache::client(memory()));
    let url = upstream.url(PRIVATE);
    let mut answers = Vec::new();
    for headers in [
        &[("authorization", "Bearer alice")][..],
        &[("authorization", "Bearer alice"), ("x-tenant", "1")],
        &[("authorization", "Bearer alice"), ("x-tenant", "2")],
        &[("authorization", "Bearer bob")],
        &[("cookie", "session=1")],
        &[("cookie", "session=2")],
        &[("x-api-key", "1")],
    ] {
        let first = text(&client, &url, headers).await;
        assert_eq!(text(&client, &url, headers).await, first, "{headers:?}");
        answers.push(first);
    }
    answers.sort_unstable();
    answers.dedup();
    assert_eq!((answers.len(), upstream.count()), (7, 7));
    // What says nothing about the user makes no difference.
    let traced = [("authorization", "Bearer bob"), ("traceparent", "00-1-1-00"), ("accept-language", "de")];
    text(&client, &url, &traced).await;
    assert_eq!(upstream.count(), 7);
}

#[tokio::test]
async fn with_an_identity_a_new_token_finds_what_is_stored() {
    let upstream = Upstream::start().await;
    let client = client_of(&HttpCache::client(memory()).identity("alice"));
    let url = upstream.url(PRIVATE);
    for token in ["Bearer 1", "Bearer 2"] {
        assert_eq!(text(&client, &url, &[("authorization", token), ("x-tenant", token)]).await, "1");
    }
    let varied = upstream.url("/me?cache-control=max-age=60&vary=authorization");
    assert_eq!(text(&client, &varied, &[("authorization", "1")]).await, "2");
    assert_eq!(text(&client, &varied, &[("authorization", "2")]).await, "3");
}

#[test]
#[should_panic(expected = "`identity` is for `HttpCache::client`")]
fn in_front_of_handlers_there_is_no_identity_for_all() {
    let _ = HttpCache::new(memory()).identity("alice");
}

#[test]
#[should_panic(expected = "`reqwest` is for `HttpCache::client`")]
fn a_cache_in_front_of_handlers_is_not_one_in_front_of_clients() {
    let _ = HttpCache::new(memory()).reqwest(reqwest::Client::new());
}

/// Of two processes on one prefix in Redis too: the name is in the key.
#[tokio::test]
async fn identities_of_other_names_share_nothing() {
    let (upstream, cache) = (Upstream::start().await, HttpCache::client(memory()));
    let client = |name| client_of(&cache.clone().identity(name));
    for path in [PRIVATE, "/a?cache-control=public,+max-age=60"] {
        assert!(both(&upstream, path, [&client("alice"), &client("alice")]).await, "{path}");
        assert!(!both(&upstream, path, [&client("alice"), &client("bob")]).await, "{path}");
    }
    let of_user = |user: &'static str| client_of(&cache.clone().identity("users").key(|_| user.to_owned()));
    assert!(both(&upstream, PRIVATE, [&of_user("alice"), &of_user("alice")]).await);
    assert!(!both(&upstream, PRIVATE, [&of_user("alice"), &of_user("bob")]).await);
}

/// The clients add tokens where the cache does not see them.
#[tokio::test]
async fn without_an_identity_only_what_is_for_everyone_is_stored() {
    let upstream = Upstream::start().await;
    let cache = HttpCache::client(memory()).public_under("/open");
    let alice = with_default(&cache, "authorization", "Bearer alice");
    let bob = with_default(&cache, "authorization", "Bearer bob");
    for (path, is_shared) in [
        (PRIVATE, false),
        ("/me?cache-control=max-age=60", false),
        ("/me?cache-control=public,+private,+max-age=60", false),
        ("/me?cache-control=public,+private=%22x-user%22,+max-age=60", false),
        ("/me?cache-control=public,+max-age=60&vary=accept,+authorization", false),
        ("/me?cache-control=public,+max-age=60&vary=accept-encoding&content-encoding=x", false),
        ("/open/1?cache-control=private,+max-age=60", false),
        ("/open/1?cache-control=max-age=60", true),
        ("/a?cache-control=public,+max-age=60", true),
        ("/a?cache-control=public,+max-age=60&vary=accept-encoding", true),
    ] {
        assert_eq!(both(&upstream, path, [&alice, &bob]).await, is_shared, "{path}");
        assert_eq!(both(&upstream, path, [&bob, &alice]).await, is_shared, "{path}");
    }
    let refused = alice.get(upstream.url(PRIVATE)).await.unwrap();
    assert_eq!(refused.headers()["cache-status"], "larder; fwd=uri-miss; detail=identity");
}

/// Requests at the same time wait for each other, and take no response that is not for them.
#[tokio::test]
async fn clients_do_not_join_each_other_s_requests_for_what_may_be_personal() {
    let upstream = Upstream::start().await;
    let cache = HttpCache::client(memory());
    let alice = with_default(&cache, "authorization", "Bearer alice");
    let bob = with_default(&cache, "authorization", "Bearer bob");
    let url = upstream.url("/slow?cache-control=private,+max-age=60");
    let (alice, bob) = tokio::join!(text(&alice, &url, &[]), text(&bob, &url, &[]));
    assert_ne!(alice, bob);
}

#[tokio::test]
async fn with_an_identity_what_the_client_adds_makes_no_difference() {
    let upstream = Upstream::start().await;
    let cache = HttpCache::client(memory());
    let alice = with_default(&cache.clone().identity("alice"), "authorization", "Bearer alice");
    let again = with_default(&cache.clone().identity("alice"), "authorization", "Bearer newer");
    let bob = with_default(&cache.identity("bob"), "authorization", "Bearer bob");
    assert!(both(&upstream, PRIVATE, [&alice, &again]).await);
    assert!(!both(&upstream, PRIVATE, [&alice, &bob]).await);
}
