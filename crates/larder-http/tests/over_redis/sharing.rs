//! Who waits for whom on two nodes, and what no other client is given.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use larder_http::HttpCache;
use tokio::sync::Semaphore;

use crate::{
    nodes::{Kind, Nodes, SOON, all_ask, counted, soon},
    support::{Said, client::get, eventually},
};

/// How long a handler takes: others come meanwhile.
const WHILE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn misses_on_both_nodes_ask_once() {
    for kind in Kind::ALL {
        let (handler, asked) = counted(|_, n| async move {
            tokio::time::sleep(WHILE).await;
            Said::new(&[("cache-control", "max-age=60")], n.to_string())
        });
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        let addresses = [nodes.address(0), nodes.address(1)];
        let received = soon("all are answered", all_ask(50, &addresses, "/")).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{kind:?}");
        assert!(received.iter().all(|received| received.status == 200 && received.text() == "0"), "{kind:?}");
        let waited =
            received.iter().filter(|received| received.cache_status().contains("; collapsed")).count();
        assert!(waited > 0, "{kind:?}: none waited");
    }
}

/// What turns out not to be for others is given to none, on no node; and no client waits for another in turn.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_shareable_is_given_to_no_other_client() {
    const SAYINGS: &[&[(&str, &str)]] = &[
        &[("cache-control", "private, max-age=60")],
        &[("cache-control", "no-store")],
        &[("cache-control", "max-age=60"), ("set-cookie", "session=1")],
        &[("cache-control", "max-age=60"), ("vary", "*")],
        &[],
    ];
    for kind in Kind::ALL {
        let (handler, asked) = counted(|seen, n| async move {
            tokio::time::sleep(WHILE).await;
            let saying: usize = seen.uri.rsplit('/').next().unwrap().parse().unwrap();
            Said::new(SAYINGS[saying], n.to_string())
        });
        let nodes = Nodes::start(*kind, |_, _| handler.clone()).await;
        let addresses = [nodes.address(0), nodes.address(1)];
        for (path, saying) in ["/0", "/1", "/2", "/3", "/4"].into_iter().zip(SAYINGS) {
            let before = asked.load(Ordering::SeqCst);
            let received = soon("all are answered", all_ask(25, &addresses, path)).await;
            assert_eq!(asked.load(Ordering::SeqCst) - before, 50, "{kind:?}: {saying:?}");
            let texts: HashSet<_> = received.iter().map(|received| received.text()).collect();
            assert_eq!(texts.len(), 50, "{kind:?}: {saying:?}: a client got what is another's");
            // Nothing of it is left.
            for address in addresses {
                assert!(!texts.contains(&get(address, path, &[]).await.text()), "{kind:?}: {saying:?}");
            }
        }
    }
}

/// A handler that hangs on one node is waited for by the other one for the lifetime of a lease, and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_hangs_holds_up_the_other_node_for_one_lease() {
    const LIFETIME: Duration = Duration::from_millis(1_000);
    for kind in Kind::ALL {
        let gate = Arc::new(Semaphore::new(0));
        let closed = gate.clone();
        let (handler, asked) = counted(move |_, n| {
            let gate = closed.clone();
            async move {
                if n == 0 {
                    drop(gate.acquire().await);
                }
                Said::new(&[("cache-control", "max-age=60")], n.to_string())
            }
        });
        let options = |redis: larder::RedisCacheBuilder| redis.lease_lifetime(LIFETIME);
        let nodes = Nodes::with(*kind, options, |http| http, |_, _| handler.clone()).await;
        let (first, second) = (nodes.address(0), nodes.address(1));
        let hanging = tokio::spawn(async move { get(first, "/", &[]).await });
        eventually("the handler is asked", || std::future::ready(asked.load(Ordering::SeqCst) == 1)).await;
        let begun = Instant::now();
        let received = soon("all are answered", all_ask(20, &[second], "/")).await;
        let took = begun.elapsed();
        assert!(took >= LIFETIME / 2, "{kind:?}: {took:?}: none waited");
        assert!(took < LIFETIME + Duration::from_secs(2), "{kind:?}: {took:?}");
        assert!(received.iter().all(|received| received.text() == "1"), "{kind:?}: {received:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 2, "{kind:?}");
        gate.add_permits(1);
        assert_eq!(hanging.await.unwrap().text(), "0", "{kind:?}");
    }
}

/// A client that goes away while the handler is at work leaves the lease to the next one, on either node.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_before_an_answer_holds_up_no_other() {
    for kind in Kind::ALL {
        let (handler, asked) = counted(|_, n| async move {
            if n == 0 {
                std::future::pending::<()>().await;
            }
            Said::new(&[("cache-control", "max-age=60")], n.to_string())
        });
        let briefly = |http: HttpCache| http.disconnect_grace(Duration::from_millis(1));
        let nodes = Nodes::with(*kind, |redis| redis, briefly, |_, _| handler.clone()).await;
        let (first, second) = (nodes.address(0), nodes.address(1));
        let leaving = tokio::spawn(async move { get(first, "/", &[]).await });
        eventually("the handler is asked", || std::future::ready(asked.load(Ordering::SeqCst) == 1)).await;
        let waiting = tokio::spawn(async move { all_ask(10, &[second], "/").await });
        tokio::time::sleep(WHILE).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{kind:?}: the other node waits");
        leaving.abort();
        let received = tokio::time::timeout(SOON, waiting)
            .await
            .unwrap_or_else(|_| panic!("{kind:?}: they wait for who is gone"))
            .unwrap();
        assert!(received.iter().all(|received| received.text() == "1"), "{kind:?}: {received:?}");
    }
}
