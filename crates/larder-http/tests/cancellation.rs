//! Requests whose clients are gone.

mod support;

use std::{
    convert::Infallible,
    future::{Future as _, ready},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Empty, Full};
use support::{
    Handler, Said, TestClock,
    client::{get, request, send},
    eventually, handler, http_cache,
    servers::Framework,
};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// Whichever request is dropped, at whatever point, the one that waits is answered.
#[tokio::test]
async fn a_request_that_is_dropped_at_any_point_holds_up_no_other() {
    for polls in 1..12 {
        for stream in [false, true] {
            let inner = service_fn(move |_: Request<Empty<Bytes>>| async move {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                let (said, sender) = Said::stream(&[]);
                let send = move || {
                    for _ in 0..3 {
                        sender.send(Ok("text".into())).unwrap();
                    }
                };
                if stream {
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        send();
                    });
                } else {
                    send();
                }
                let support::SaidBody::Stream(chunks) = said.body else { unreachable!() };
                Ok::<_, Infallible>(
                    Response::builder().header("cache-control", "max-age=60").body(chunks).unwrap(),
                )
            });
            let service = http_cache(&TestClock::new()).layer(inner);
            let to = || Request::get("/").header("host", "a").body(Empty::new()).unwrap();
            let mut first = Box::pin(service.clone().oneshot(to()));
            let mut answered = None;
            let mut context = Context::from_waker(Waker::noop());
            assert!(first.as_mut().poll(&mut context).is_pending());
            let waiting: Vec<_> = (0..3)
                .map(|_| {
                    let service = service.clone();
                    tokio::spawn(async move {
                        service.oneshot(to()).await.unwrap().into_body().collect().await.unwrap().to_bytes()
                    })
                })
                .collect();
            tokio::task::yield_now().await;
            for _ in 1..polls {
                match &mut answered {
                    None => {
                        if let Poll::Ready(response) = first.as_mut().poll(&mut context) {
                            answered = Some(Box::pin(response.unwrap().into_body()));
                        }
                    }
                    Some(body) => {
                        let _ = body.as_mut().poll_frame(&mut context);
                    }
                }
                tokio::task::yield_now().await;
            }
            drop((first, answered));
            for one in waiting {
                let text = tokio::time::timeout(Duration::from_secs(5), one).await;
                assert_eq!(
                    text.expect("no request is held up").unwrap(),
                    "texttexttext",
                    "{polls}, {stream}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_change_that_the_handler_never_saw_drops_nothing() {
    use tower::limit::ConcurrencyLimit;
    let inner = service_fn(|request: Request<Empty<Bytes>>| async move {
        if request.uri().path() == "/slow" {
            std::future::pending::<()>().await;
        }
        Ok::<_, Infallible>(
            Response::builder()
                .header("cache-control", "max-age=60")
                .body(Full::new(Bytes::from("text")))
                .unwrap(),
        )
    });
    let service = http_cache(&TestClock::new()).layer(ConcurrencyLimit::new(inner, 1));
    let to = |method: &str, path: &str| {
        Request::builder().method(method).uri(path).header("host", "a").body(Empty::new()).unwrap()
    };
    service.clone().oneshot(to("GET", "/")).await.unwrap();
    let mut slow = pin!(service.clone().oneshot(to("GET", "/slow")));
    let mut context = Context::from_waker(Waker::noop());
    assert!(slow.as_mut().poll(&mut context).is_pending());
    let mut post = Box::pin(service.clone().oneshot(to("POST", "/")));
    assert!(post.as_mut().poll(&mut context).is_pending());
    drop(post);
    let again = tokio::time::timeout(Duration::from_secs(1), service.clone().oneshot(to("GET", "/"))).await;
    assert!(again.is_ok(), "the page was dropped by a POST that no handler got");
}

/// A handler that panics may have made its change before.
#[tokio::test]
async fn a_change_whose_handler_panicked_drops_what_is_stored() {
    let inner = service_fn(|request: Request<Empty<Bytes>>| async move {
        assert!(request.method() == "GET", "as it should");
        let head = Response::builder().header("cache-control", "max-age=60");
        Ok::<_, Infallible>(head.body(Full::new(Bytes::from("page"))).unwrap())
    });
    let service = http_cache(&TestClock::new()).layer(inner);
    let to = |method| {
        Request::builder().method(method).uri("/").header("host", "a").body(Empty::<Bytes>::new()).unwrap()
    };
    let told = async |request| {
        let response = service.clone().oneshot(request).await.unwrap();
        response.headers()["cache-status"].to_str().unwrap().to_owned()
    };
    assert_eq!(told(to("GET")).await, "larder; fwd=uri-miss; stored");
    assert!(told(to("GET")).await.starts_with("larder; hit"));
    assert!(tokio::spawn(service.clone().oneshot(to("POST"))).await.unwrap_err().is_panic());
    assert_eq!(told(to("GET")).await, "larder; fwd=uri-miss; stored");
}

/// A handler that takes some time, and how often it was asked.
fn slow(takes: Duration) -> (Handler, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let handler = handler(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::time::sleep(takes).await;
            Said::new(&[("cache-control", "max-age=600")], "text")
        }
    });
    (handler, asked)
}

/// Their handler is asked once, and answers the clients that ask next.
#[tokio::test(flavor = "multi_thread")]
async fn clients_less_patient_than_the_handler_are_answered() {
    for framework in Framework::ALL {
        let (slow, asked) = slow(Duration::from_secs(2));
        let server = framework.serve(http_cache(&TestClock::new()), slow).await;
        let mut answers = 0;
        for _ in 0..40 {
            let patience = Duration::from_millis(400);
            answers +=
                usize::from(tokio::time::timeout(patience, get(server.address, "/", &[])).await.is_ok());
            if answers > 0 {
                break;
            }
        }
        assert_eq!((answers, asked.load(Ordering::SeqCst)), (1, 1), "{framework:?}");
    }
}

/// One who may not change anything drops nothing by hanging up; one who did change something does.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_client_hangs_up_is_judged_by_what_came_of_it() {
    for framework in Framework::ALL {
        for (status, drops) in [(401, false), (200, true)] {
            let [begun, ended] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
            let counters = (begun.clone(), ended.clone());
            let slow = handler(move |seen| {
                let (begun, ended) = counters.clone();
                async move {
                    if seen.method == "GET" {
                        return Said::new(&[("cache-control", "max-age=600")], "text");
                    }
                    begun.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    ended.fetch_add(1, Ordering::SeqCst);
                    Said { status, ..Said::new(&[], "") }
                }
            });
            let server = framework.serve(http_cache(&TestClock::new()), slow).await;
            for round in 1..=3 {
                get(server.address, "/", &[]).await;
                assert!(get(server.address, "/", &[]).await.is_hit());
                let change = tokio::spawn(send(server.address, request("POST", "/", &[])));
                eventually("the handler is at it", || ready(begun.load(Ordering::SeqCst) == round)).await;
                change.abort();
                eventually("it comes to its end", || ready(ended.load(Ordering::SeqCst) == round)).await;
                let is_dropped = async || !get(server.address, "/", &[]).await.is_hit();
                if drops {
                    eventually("it is dropped", is_dropped).await;
                } else {
                    for _ in 0..10 {
                        assert!(!is_dropped().await, "{framework:?}: dropped by one who was refused");
                    }
                }
            }
        }
    }
}

/// Counts when it is dropped.
struct CountsDrop(Arc<AtomicUsize>);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A handler that never answers; how often it was called, and how often dropped.
fn hanging() -> (Handler, [Arc<AtomicUsize>; 2]) {
    let counters = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let [called, dropped] = counters.clone();
    let handler = handler(move |_| {
        called.fetch_add(1, Ordering::SeqCst);
        let guard = CountsDrop(dropped.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Said::new(&[], "")
        }
    });
    (handler, counters)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_goes_on_as_long_as_others_wait_for_it() {
    for framework in Framework::ALL {
        let (slow, asked) = slow(Duration::from_millis(1500));
        let cache = http_cache(&TestClock::new()).disconnect_grace(Duration::from_millis(250));
        let server = framework.serve(cache.clone(), slow).await;
        let first = tokio::spawn(async move { get(server.address, "/", &[]).await });
        eventually("the handler is called", || ready(asked.load(Ordering::SeqCst) == 1)).await;
        let second = tokio::spawn(async move { get(server.address, "/", &[]).await });
        // Time for the second request to arrive, well before the handler has ended.
        tokio::time::sleep(Duration::from_millis(200)).await;
        first.abort();
        assert_eq!(second.await.unwrap().text(), "text");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{framework:?}: it was not called again");
        eventually("no handler is left", || ready(cache.detached() == 0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_handlers_go_on_without_clients() {
    for framework in Framework::ALL {
        let (hanging, [called, dropped]) = hanging();
        let grace = Duration::from_secs(3);
        let cache = http_cache(&TestClock::new()).disconnect_grace(grace).max_detached(2);
        let server = framework.serve(cache.clone(), hanging).await;
        let clients: Vec<_> = (0..5)
            .map(|n| tokio::spawn(async move { get(server.address, &format!("/{n}"), &[]).await }))
            .collect();
        eventually("all are called", || ready(called.load(Ordering::SeqCst) == 5)).await;
        assert_eq!((cache.detached(), dropped.load(Ordering::SeqCst)), (0, 0));
        for client in &clients {
            client.abort();
        }
        eventually("three are dropped", || ready(dropped.load(Ordering::SeqCst) == 3)).await;
        assert_eq!(cache.detached(), 2, "{framework:?}");
        let waiting = tokio::time::timeout(Duration::from_secs(20), cache.wait_for_detached());
        waiting.await.expect("the others end with their grace");
        assert_eq!(dropped.load(Ordering::SeqCst), 5, "{framework:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_without_a_client_does_no_harm() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let (counter, leave) = (asked.clone(), Arc::new(tokio::sync::Notify::new()));
        let left = leave.clone();
        let panics_once = handler(move |_| {
            let (is_first, left) = (counter.fetch_add(1, Ordering::SeqCst) == 0, left.clone());
            async move {
                if is_first {
                    left.notified().await;
                    panic!("as it should");
                }
                Said::new(&[("cache-control", "max-age=600")], "text")
            }
        });
        let cache = http_cache(&TestClock::new());
        let server = framework.serve(cache.clone(), panics_once).await;
        let first = tokio::spawn(async move { get(server.address, "/", &[]).await });
        eventually("the handler is called", || ready(asked.load(Ordering::SeqCst) == 1)).await;
        first.abort();
        eventually("it goes on alone", || ready(cache.detached() == 1)).await;
        leave.notify_one();
        eventually("it has ended", || ready(cache.detached() == 0)).await;
        let next = get(server.address, "/", &[]).await;
        assert_eq!((next.text().as_str(), asked.load(Ordering::SeqCst)), ("text", 2), "{framework:?}");
        assert!(get(server.address, "/", &[]).await.is_hit());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_hangs_is_ended_and_the_next_one_begins() {
    for framework in Framework::ALL {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let second_hangs = handler(move |_| {
            let n = counter.fetch_add(1, Ordering::SeqCst);
            async move {
                if n == 1 {
                    std::future::pending::<()>().await;
                }
                Said::new(&[("cache-control", "max-age=1, stale-while-revalidate=600")], n.to_string())
            }
        });
        let clock = TestClock::new();
        let cache = http_cache(&clock).disconnect_grace(Duration::from_millis(300));
        let server = framework.serve(cache.clone(), second_hangs).await;
        assert_eq!(get(server.address, "/", &[]).await.text(), "0");
        clock.advance(5);
        assert_eq!(get(server.address, "/", &[]).await.text(), "0");
        eventually("a refresh has begun", || ready(asked.load(Ordering::SeqCst) == 2)).await;
        let is_new = async || get(server.address, "/", &[]).await.text() == "2";
        eventually("a later one is successful", is_new).await;
    }
}

/// The longest grace there is, is one without an end.
#[tokio::test]
async fn a_grace_without_end_is_one() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let handler = handler(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Said::new(&[("cache-control", "max-age=60")], "page")
        }
    });
    let cache = http_cache(&TestClock::new()).disconnect_grace(Duration::MAX);
    let server = Framework::Axum.serve(cache, handler).await;
    let address = server.address;
    let leaving = tokio::spawn(async move { get(address, "/", &[]).await });
    eventually("the handler is asked", || ready(asked.load(Ordering::SeqCst) == 1)).await;
    leaving.abort();
    let only_stored = [("cache-control", "only-if-cached")];
    eventually("its page is stored", || async { get(address, "/", &only_stored).await.is_hit() }).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}
