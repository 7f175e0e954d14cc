//! Rate limits in Actix Web.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;

use actix_web::{App, dev::ServiceRequest, http::StatusCode, test, web};
use larder::{
    MemoryCache,
    limit::{Limiter, Rate},
};
use larder_http::{ClientAddress, RateLimit, address_key};

const PROXY: &str = "10.0.0.1:4711";

fn client(request: &ServiceRequest) -> Option<String> {
    let client = ClientAddress::behind(["10.0.0.0/8"]).unwrap();
    let peer = request.peer_addr()?.ip();
    Some(address_key(client.of(peer, request.headers().get_all("x-forwarded-for"))))
}

#[actix_web::test]
async fn a_client_is_limited_whatever_it_says_of_itself() {
    let limiter = Limiter::new(MemoryCache::new(1), Rate::per_hour(2));
    let app = App::new().wrap(RateLimit::actix(limiter, client)).route("/", web::get().to(async || "served"));
    let app = test::init_service(app).await;
    let call = async |peer: &str, forwarded: &str| {
        let request = test::TestRequest::get()
            .uri("/")
            .peer_addr(peer.parse::<SocketAddr>().unwrap())
            .insert_header(("x-forwarded-for", forwarded));
        test::call_service(&app, request.to_request()).await
    };
    for (call_number, remaining) in [(1, 1), (2, 0)] {
        let response = call("192.0.2.7:1", &format!("6.6.6.{call_number}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        let field = response.headers().get("ratelimit").unwrap().to_str().unwrap();
        assert_eq!(field, format!("\"default\";r={remaining};t=1800"));
        assert_eq!(response.headers().get("ratelimit-policy").unwrap(), "\"default\";q=2;w=3600");
        assert_eq!(test::read_body(response).await, "served");
    }
    let response = call("192.0.2.7:2", "6.6.6.3").await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers().get("retry-after").unwrap(), "1800");
    assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
    assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
    assert_eq!(response.headers().get("ratelimit").unwrap(), "\"default\";r=0;t=1800");
    let body = test::read_body(response).await;
    assert!(
        body.starts_with(b"{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\"")
    );

    // The same client through a proxy; and another one, which makes up the first one's address.
    let through = call(PROXY, "192.0.2.7").await;
    assert_eq!(through.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(call(PROXY, "192.0.2.7, 192.0.2.8").await.status(), StatusCode::OK);
}
