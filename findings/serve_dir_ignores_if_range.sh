#!/usr/bin/env bash
# tower-http 0.7.1 (`ServeDir`), seen 2026-11-29: a download that is resumed after the file has changed.
#
# Who has the first half of a file, asks for the rest by `Range` and names the version of which the half is by `If-Range`:
# clients that resume, and caches that complete a part or fetch in slices. RFC 9110, 13.1.5: if the version is another one
# by now, `Range` is ignored. Expected: 200, with the whole new file. `ServeDir` has strong `ETag`s since 0.7, answers
# `If-None-Match` and `If-Match` by them, and offers `Accept-Ranges: bytes`.
#
# Seen: 206, with the rest of the new file, whatever `If-Range` says, be it an `ETag` or a date. Both halves together have
# the right length, and are a file that never was. (A client can compare the `ETag` of the 206. `If-Match` in place of
# `If-Range` works: 412.)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src" "$dir/files"
cat > "$dir/Cargo.toml" <<'TOML'
[package]
name = "files"
version = "0.0.0"
edition = "2024"

[dependencies]
bytes = "1"
http = "1"
http-body-util = "0.1"
tokio = { version = "1", features = ["macros", "rt"] }
tower = { version = "0.5", features = ["util"] }
tower-http = { version = "=0.7.1", features = ["fs"] }
TOML
cat > "$dir/src/main.rs" <<'RUST'
use std::{
    fs::File,
    io::Write,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request,
    header::{ETAG, IF_MATCH, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE},
};
use http_body_util::{BodyExt, Empty};
use tower::ServiceExt;
use tower_http::services::ServeDir;

/// Writes the file, as if an hour lay between two versions.
fn write(folder: &str, version: u8) {
    let mut file = File::create(format!("{folder}/file")).unwrap();
    file.write_all(&[b'0' + version; 10]).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 3_600 * u64::from(version))).unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = std::env::args().nth(1).expect("a folder");
    let ask = async |headers: &[(_, &HeaderValue)]| {
        let mut request = Request::get("/file").body(Empty::<Bytes>::new()).unwrap();
        for &(ref name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        let (parts, body) = ServeDir::new(&folder).oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.headers, format!("{} {}", parts.status.as_u16(), String::from_utf8_lossy(&body)))
    };
    write(&folder, 1);
    let (first, seen) = ask(&[]).await;
    println!("the first version: {seen}");
    write(&folder, 2);
    let rest = HeaderValue::from_static("bytes=5-");
    let (etag, modified) = (&first[ETAG], &first[LAST_MODIFIED]);
    println!("If-None-Match: {}", ask(&[(IF_NONE_MATCH, etag)]).await.1);
    println!("Range, If-Match: {}", ask(&[(RANGE, &rest), (IF_MATCH, etag)]).await.1);
    println!("Range, If-Range with the ETag: {}", ask(&[(RANGE, &rest), (IF_RANGE, etag)]).await.1);
    println!("Range, If-Range with the date: {}", ask(&[(RANGE, &rest), (IF_RANGE, modified)]).await.1);
}
RUST
seen=$(cargo run -q --manifest-path "$dir/Cargo.toml" -- "$dir/files" | sed 's/ *$//')
echo "$seen"
diff <(echo "$seen") - <<'SEEN'
the first version: 200 1111111111
If-None-Match: 200 2222222222
Range, If-Match: 412
Range, If-Range with the ETag: 206 22222
Range, If-Range with the date: 206 22222
SEEN
