//! The format of stored responses on a server: another version of the service reads them too.

use std::ops::Range;

use larder_http::HttpCache;
use larder_servers::RedisServer;
use serde_json::{Value, json};

use crate::{
    nodes::{JSON, Kind, MESSAGE_PACK, Tiers, With, patient},
    support::{Said, TestClock, client::get, handler, servers::Framework},
};

const KEY: &str = "larder:e:http:example.com:empty:@:-:v";

/// Where an entry's header has the fingerprint of the value's type; see `docs/wire-format.md`.
const SHAPE: Range<usize> = 24..32;

/// The entry of a stored response, as it is on the server.
async fn stored_entry(codec: With) -> Vec<u8> {
    let redis = RedisServer::start();
    let kind = Kind { framework: Framework::Axum, tiers: Tiers::Bare, codec };
    let clock = TestClock::new();
    clock.advance(7);
    let cache = HttpCache::new(kind.store(patient(redis.url())).await).clock(move || clock.now());
    let headers = [
        ("cache-control", "max-age=60"),
        ("content-type", "application/octet-stream"),
        ("x-name", "Zoë – ☂"),
        ("link", "<a>; rel=next"),
        ("link", "<b>; rel=prev"),
    ];
    let handler = handler(move |_| std::future::ready(Said::new(&headers, "")));
    let server = kind.framework.serve(cache, handler).await;
    let received = get(server.address, "/empty", &[]).await;
    assert_eq!(received.cache_status(), "larder; fwd=uri-miss; stored");
    redis.command(&["GET", KEY])
}

/// The fingerprint depends on the names of all types and fields, and on what the value has. One that changes makes every
/// stored response a miss.
#[tokio::test(flavor = "multi_thread")]
async fn the_type_has_the_fingerprint_that_it_always_had() {
    let entry = stored_entry(MESSAGE_PACK).await;
    let hex: String = entry[SHAPE].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "35de8dce5a443a97");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payload_has_the_fields_that_it_always_had() {
    let entry = stored_entry(JSON).await;
    let payload = usize::from(u16::from_be_bytes([entry[8], entry[9]]));
    let mut stored: Value = serde_json::from_slice(&entry[payload..]).unwrap();
    // The time on the server, and a random number.
    assert!(stored["freshness"]["received"].take().is_u64());
    assert!(stored["number"].take().is_u64());
    let bytes = |text: &str| json!(text.as_bytes());
    let no_time = json!({ "secs": 0, "nanos": 0 });
    let expected = json!({
        "status": 200,
        "headers": [
            ["cache-control", bytes("max-age=60")],
            ["content-type", bytes("application/octet-stream")],
            ["x-name", bytes("Zoë – ☂")],
            ["link", bytes("<a>; rel=next")],
            ["link", bytes("<b>; rel=prev")],
            ["date", bytes("Tue, 14 Nov 2023 22:13:27 GMT")],
            ["etag", bytes("\"c9cfde81564e84512705d9c39d15ec6d\"")],
        ],
        "body": [],
        "vary": {
            "names": [],
            "chosen_by": [
                227, 176, 196, 66, 152, 252, 28, 20, 154, 251, 244, 200, 153, 111, 185, 36, 39, 174, 65, 228,
            ],
        },
        "freshness": {
            "received": null,
            "initial_age": no_time,
            "lifetime": { "secs": 60, "nanos": 0 },
            "source": "Response",
            "stale_while_revalidate": no_time,
            "stale_if_error": no_time,
            "rule": "Lenient",
        },
        "own_etag": true,
        "number": null,
        "tags": [],
    });
    assert_eq!(stored, expected);
}
