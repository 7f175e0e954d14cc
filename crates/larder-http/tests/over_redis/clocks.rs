//! Nodes whose clocks differ.

use std::{
    future::ready,
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime},
};

use larder_http::HttpCache;
use larder_servers::RedisServer;

use crate::{
    nodes::{Kind, counted, other_url, patient},
    support::{Said, client::get, eventually},
};

/// A page is as old on one node as on another, however early or late their clocks are.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_as_old_for_a_node_whose_clock_is_late() {
    const MINUTES: Duration = Duration::from_secs(5 * 60);
    let redis = RedisServer::start();
    for &kind in Kind::ALL {
        let urls = [redis.url(), other_url(&redis)];
        let stores = [kind.store(patient(urls[0].clone())).await, kind.store(patient(urls[1].clone())).await];
        let [early, late] = stores.map(HttpCache::new);
        let early = early.clock(|| SystemTime::now() + MINUTES);
        let (handler, asked) = counted(|_, _| ready(Said::new(&[("cache-control", "max-age=4")], "text")));
        let early = kind.framework.serve(early, handler.clone()).await;
        let late = kind.framework.serve(late, handler).await;
        for (path, made_by, asked_at) in [("/a", &early, &late), ("/b", &late, &early)] {
            let path = format!("{path}/{kind:?}").replace([' ', '{', '}', ':', ','], "");
            let began = Instant::now();
            get(made_by.address, &path, &[]).await;
            let before = asked.load(Ordering::SeqCst);
            let there = get(asked_at.address, &path, &[]).await;
            if began.elapsed() < Duration::from_secs(2) {
                assert!(there.is_hit(), "{kind:?}: too old at once: {there:?}");
            }
            eventually("it is too old", async || {
                get(asked_at.address, &path, &[]).await;
                asked.load(Ordering::SeqCst) > before
            })
            .await;
        }
    }
}
