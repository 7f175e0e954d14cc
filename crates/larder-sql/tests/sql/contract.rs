//! Caches on real databases keep the contract that every cache keeps.

use larder::contract;

use crate::places::Place;

#[tokio::test(flavor = "multi_thread")]
async fn plain() {
    for place in Place::all() {
        contract::check(async || place.plain().await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tiered() {
    for place in Place::all() {
        contract::check(async || place.tiered().await).await;
    }
}
