//! A `ttl` that is an expression and gives zero.

use std::time::Duration;

use larder::{cache_put, cached};
use larder_warnings::heard;

#[cached(ttl = Duration::from_secs(seconds), key = "zero:<id>", skip(seconds))]
async fn configured(id: u64, seconds: u64) -> u64 {
    id
}

#[cached(ttl = Duration::from_secs(seconds), key = "zero-too:<id>", skip(seconds))]
async fn configured_too(id: u64, seconds: u64) -> u64 {
    id
}

#[cache_put(ttl = Duration::from_secs(seconds), key = "put:<id>")]
async fn put(id: u64, seconds: u64) -> u64 {
    id
}

#[tokio::test]
async fn it_is_reported_once_for_each_function() {
    let reported = || heard(&["`ttl` of a cached function is zero", "macros_zero_ttl.rs:"]).len();
    assert_eq!(configured(1, 60).await, 1);
    assert_eq!(reported(), 0);
    for id in 2..5 {
        assert_eq!(configured(id, 0).await, id);
    }
    assert_eq!(reported(), 1);
    assert_eq!(configured_too(1, 0).await, 1);
    assert_eq!(reported(), 2);
    assert_eq!(put(1, 0).await, 1);
    assert_eq!(put(2, 0).await, 2);
    assert_eq!(reported(), 3);
}
