//! Caches on real databases keep the contract that every cache keeps.

use std::sync::Mutex;

use larder::contract;

use crate::places::Place;

// Each part has tables of its own: a cache that ends tells what it invalidated last a moment later, and with `Scope::all()` that
// covers what the next part computes.

#[tokio::test(flavor = "multi_thread")]
async fn plain() {
    for place in Place::all() {
        let parts = Mutex::new(Vec::new());
        contract::check(async || {
            let part = place.another();
            parts.lock().unwrap().push(part.clone());
            part.plain().await
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tiered() {
    for place in Place::all() {
        let parts = Mutex::new(Vec::new());
        contract::check(async || {
            let part = place.another();
            parts.lock().unwrap().push(part.clone());
            part.tiered().await
        })
        .await;
    }
}
