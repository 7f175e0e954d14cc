#!/usr/bin/env bash
# http-cache 1.0.0-alpha.9 (the crate, through http-cache-tower 1.0.0-alpha.9), seen 2026-11-29: what is served when a page
# is out of date and its origin answers 500.
#
# RFC 9111, 5.2.2.2: a stale response with `must-revalidate` is never served without a successful validation. RFC 5861,
# section 4: one with `stale-if-error=3600` may be served for an hour in place of a 500. Expected: the error for the
# first, the old page for the second.
#
# Seen: the other way round. `must-revalidate` is what makes the cache answer with the old page, as a 200; with
# `stale-if-error`, or without either, the client is given the 500. (The old page has a `Warning: 111` then.) If the
# origin cannot be reached at all, `must-revalidate` does give the error, and all others are served as old pages.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat > "$dir/Cargo.toml" <<'TOML'
[package]
name = "pages"
version = "0.0.0"
edition = "2024"

[dependencies]
bytes = "1"
http = "1"
http-body-util = "0.1"
http-cache = { version = "=1.0.0-alpha.9", default-features = false, features = ["manager-moka", "url-standard"] }
http-cache-tower = { version = "=1.0.0-alpha.9", default-features = false, features = ["manager-moka", "url-standard"] }
moka = { version = "0.12", features = ["future"] }
tokio = { version = "1", features = ["macros", "rt", "time"] }
tower = { version = "0.5", features = ["util"] }
TOML
cat > "$dir/src/main.rs" <<'RUST'
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use http_cache::MokaManager;
use http_cache_tower::HttpCacheLayer;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let state = Arc::new(AtomicU8::new(0));
    let origin = service_fn({
        let state = state.clone();
        move |request: Request<Full<Bytes>>| {
            let response = Response::builder().header("cache-control", request.uri().query().unwrap());
            let response = match state.load(SeqCst) {
                0 => Ok(response.body(Full::<Bytes>::from("the page")).unwrap()),
                1 => Ok(response.status(500).body(Full::from("trouble")).unwrap()),
                _ => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
            };
            async move { response }
        }
    });
    let client = HttpCacheLayer::new(MokaManager::new(moka::future::Cache::new(100))).layer(origin);
    let directives = ["max-age=1", "max-age=1,stale-if-error=3600", "max-age=1,must-revalidate"];
    for (number, origin) in ["well", "answers 500", "cannot be reached"].into_iter().enumerate() {
        state.store(number.try_into().unwrap(), SeqCst);
        println!("the origin {origin}");
        for directives in directives {
            let request = Request::get(format!("http://origin/?{directives}")).body(Full::default()).unwrap();
            let answer = match client.clone().oneshot(request).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let body = response.into_body().collect().await.unwrap().to_bytes();
                    format!("{status} {}", String::from_utf8_lossy(&body))
                }
                Err(_) => "an error".to_owned(),
            };
            println!("  {directives}: {answer}");
        }
        tokio::time::sleep(Duration::from_millis(2_100)).await;
    }
}
RUST
seen=$(cargo run -q --manifest-path "$dir/Cargo.toml")
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
the origin well
  max-age=1: 200 the page
  max-age=1,stale-if-error=3600: 200 the page
  max-age=1,must-revalidate: 200 the page
the origin answers 500
  max-age=1: 500 trouble
  max-age=1,stale-if-error=3600: 500 trouble
  max-age=1,must-revalidate: 200 the page
the origin cannot be reached
  max-age=1: 200 the page
  max-age=1,stale-if-error=3600: 200 the page
  max-age=1,must-revalidate: an error
SEEN
