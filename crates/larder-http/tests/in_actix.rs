//! What only Actix has: middlewares that fail without a response, requests that cannot be shared, and runtimes of
//! one thread.

mod support;

use std::{
    cell::Cell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{Service as _, ServiceRequest, ServiceResponse},
    error,
    middleware::{Condition, Next, from_fn},
    test, web,
};
use bytes::Bytes;
use support::{
    Said, TestClock,
    client::{get as ask, request, try_send},
    http_cache,
};

/// The status of a response to a client when what is stored is stale, and there is this error.
async fn status_after(failure: fn() -> actix_web::Error) -> u16 {
    let clock = TestClock::new();
    let is_up = Rc::new(Cell::new(true));
    let page = || async {
        HttpResponse::Ok().insert_header(("cache-control", "max-age=10, stale-if-error=600")).body("old")
    };
    let watched = is_up.clone();
    let app = App::new()
        .route("/", web::get().to(page))
        .wrap_fn(move |request, service| {
            let responding = watched.get().then(|| service.call(request));
            async move {
                match responding {
                    Some(responding) => responding.await,
                    None => Err(failure()),
                }
            }
        })
        .wrap(http_cache(&clock));
    let app = test::init_service(app).await;
    let request = || test::TestRequest::get().uri("/").to_request();
    test::call_service(&app, request()).await;
    clock.advance(20);
    is_up.set(false);
    match test::try_call_service(&app, request()).await {
        Ok(response) => response.status().as_u16(),
        Err(error) => {
            let response = error.error_response();
            let status = response.status().as_u16();
            if status == 200 {
                assert_eq!(actix_web::body::to_bytes(response.into_body()).await.ok(), Some("old".into()));
            }
            status
        }
    }
}

#[actix_web::test]
async fn a_stale_response_is_in_place_of_a_failure() {
    assert_eq!(status_after(|| error::ErrorBadGateway("down")).await, 200);
}

#[actix_web::test]
async fn a_refusal_is_no_failure() {
    assert_eq!(status_after(|| error::ErrorUnauthorized("no")).await, 401);
}

/// A refused change is none (RFC 9111, section 4.4).
#[actix_web::test]
async fn a_change_that_a_middleware_refuses_drops_nothing() {
    let page = || async { HttpResponse::Ok().insert_header(("cache-control", "max-age=60")).body("page") };
    let app = App::new()
        .route("/", web::get().to(page))
        .wrap_fn(|request, service| {
            let refused = request.method() == actix_web::http::Method::POST;
            let going = (!refused).then(|| service.call(request));
            async move {
                match going {
                    Some(going) => going.await,
                    None => Err(actix_web::error::ErrorUnauthorized("who are you?")),
                }
            }
        })
        .wrap(http_cache(&TestClock::new()));
    let app = test::init_service(app).await;
    let get = || test::TestRequest::get().uri("/").to_request();
    test::call_service(&app, get()).await;
    let post = test::TestRequest::post().uri("/").to_request();
    assert_eq!(test::try_call_service(&app, post).await.unwrap_err().as_response_error().status_code(), 401);
    let again = test::call_service(&app, get()).await;
    let told = again.headers().get("cache-status").unwrap().to_str().unwrap();
    assert!(told.starts_with("larder; hit"), "{told}");
}

async fn keep<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let _kept = request.request().clone();
    next.call(request).await
}

/// A middleware between router and cache may keep the request, as it may without the cache.
#[actix_web::test]
async fn a_middleware_may_keep_the_request() {
    for cached in [false, true] {
        let page =
            || async { HttpResponse::Ok().insert_header(("cache-control", "max-age=60")).body("page") };
        let http = Condition::new(cached, http_cache(&TestClock::new()));
        let resource = web::resource("/").route(web::get().to(page)).wrap(http).wrap(from_fn(keep));
        let app = test::init_service(App::new().service(resource)).await;
        let response = test::call_service(&app, test::TestRequest::get().uri("/").to_request()).await;
        assert_eq!(response.status(), 200, "cached: {cached}");
        assert_eq!(response.headers().contains_key("cache-status"), cached);
    }
}

/// Nor does a client's header that the handler is not to see end in a panic where the request cannot be changed.
#[actix_web::test]
async fn a_request_that_is_kept_is_answered_whatever_its_headers() {
    let clock = TestClock::new();
    let page = |request: HttpRequest| async move {
        let host = request.headers().get("x-forwarded-host").map_or("none", |host| host.to_str().unwrap());
        HttpResponse::Ok()
            .insert_header(("cache-control", "public, max-age=60, stale-if-error=600"))
            .insert_header(("etag", "\"1\""))
            .body(host.to_owned())
    };
    let resource = web::resource("/")
        .route(web::get().to(page))
        .wrap(http_cache(&clock).ignore_request_directives())
        .wrap(from_fn(keep));
    let app = test::init_service(App::new().service(resource)).await;
    let ask = async |headers: &[(&'static str, &'static str)]| {
        let request = headers
            .iter()
            .fold(test::TestRequest::get().uri("/"), |request, header| request.insert_header(*header));
        let response = test::call_service(&app, request.to_request()).await;
        let told = response.headers().get("cache-status").unwrap().to_str().unwrap().to_owned();
        (response.status().as_u16(), told, test::read_body(response).await)
    };
    for headers in [("if-none-match", "\"0\""), ("x-forwarded-host", "elsewhere")] {
        let (status, told, body) = ask(&[headers]).await;
        assert_eq!((status, &*told), (200, "larder; fwd=bypass"), "{headers:?}");
        assert_eq!(body, if headers.0 == "x-forwarded-host" { "elsewhere" } else { "none" });
    }
    // Others are cached, and what is stale is replaced though it cannot be validated.
    for _ in 0..2 {
        assert!(ask(&[]).await.1.contains("stored"));
        let (status, told, body) = ask(&[]).await;
        assert_eq!(status, 200);
        assert!(told.starts_with("larder; hit"), "{told}");
        assert_eq!(body, "none");
        let (status, told, _) = ask(&[("if-none-match", "\"1\"")]).await;
        assert_eq!(status, 304, "{told}");
        clock.advance(61);
        assert_eq!(ask(&[("if-none-match", "\"0\"")]).await.1, "larder; fwd=bypass", "not the stale one");
    }
}

/// A body that outlives its runtime is dropped like any other.
#[core::prelude::v1::test] // `test` is Actix' here
fn a_stale_response_may_outlive_its_runtime() {
    let clock = TestClock::new();
    let cache = http_cache(&clock);
    let stale = actix_web::rt::System::new().block_on(async move {
        let page = || async {
            HttpResponse::Ok()
                .insert_header(("cache-control", "max-age=10, stale-while-revalidate=600"))
                .body("page")
        };
        let app = test::init_service(App::new().wrap(cache).route("/", web::get().to(page))).await;
        let get = || test::TestRequest::get().uri("/").to_request();
        test::call_and_read_body(&app, get()).await;
        clock.advance(20);
        test::call_service(&app, get()).await.into_parts().1
    });
    drop(stale);
}

/// Clients come and go, with several workers; who stays has all of it.
#[tokio::test(flavor = "multi_thread")]
async fn with_several_workers_too_no_client_is_held_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let cache = http_cache(&TestClock::new());
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let app = move || {
                let counter = counter.clone();
                App::new().wrap(cache.clone()).default_service(web::to(move || {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let (said, sender) = Said::stream(&[]);
                    actix_web::rt::spawn(async move {
                        for _ in 0..20 {
                            tokio::time::sleep(Duration::from_millis(2)).await;
                            drop(sender.send(Ok(Bytes::from(vec![b'x'; 4000]))));
                        }
                    });
                    async move {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        let support::SaidBody::Stream(chunks) = said.body else { unreachable!() };
                        HttpResponse::Ok().insert_header(("cache-control", "max-age=60")).body(chunks)
                    }
                }))
            };
            let server =
                actix_web::HttpServer::new(app).workers(4).h1_allow_half_closed(false).disable_signals();
            server.listen(listener).unwrap().run().await.unwrap();
        });
    });
    for round in 0..10_u64 {
        let path = format!("/{round}");
        let before = asked.load(Ordering::SeqCst);
        let mut asking = tokio::task::JoinSet::new();
        for n in 0..40_u64 {
            let path = path.clone();
            asking.spawn(async move {
                let asked = ask(address, &path, &[]);
                if n % 2 == 0 {
                    drop(tokio::time::timeout(Duration::from_millis(1 + n + round), asked).await);
                } else {
                    let got = tokio::time::timeout(Duration::from_secs(10), asked)
                        .await
                        .expect("no request is held up");
                    assert_eq!(got.text().len(), 80_000, "{}", got.cache_status());
                }
            });
        }
        asking.join_all().await;
        let times = asked.load(Ordering::SeqCst) - before;
        assert!(times <= 21, "{times} times for one page");
        assert!(ask(address, &path, &[]).await.is_hit());
    }
    drop(try_send(address, request("GET", "/", &[])).await);
}

/// A request of HTTP/1.1 names no scheme: that it came over TLS, its connection tells.
#[actix_web::test]
async fn a_page_over_tls_is_another_one() {
    use actix_service::{IntoServiceFactory as _, ServiceFactory as _};
    use actix_web::dev::AppConfig;

    let cache = http_cache(&TestClock::new());
    let page = |request: HttpRequest| async move {
        let scheme = request.connection_info().scheme().to_owned();
        HttpResponse::Ok().insert_header(("cache-control", "max-age=60")).body(scheme)
    };
    let get = async |cache: &larder_http::HttpCache, is_secure| {
        let app = App::new().wrap(cache.clone()).default_service(web::to(page));
        let config = AppConfig::__priv_test_new(is_secure, "localhost".into(), ([127, 0, 0, 1], 80).into());
        let app = app.into_factory().new_service(config).await.unwrap();
        let response = app.call(test::TestRequest::get().uri("/").to_request()).await.unwrap();
        test::read_body(response).await
    };
    for _ in 0..2 {
        assert_eq!(get(&cache, false).await, "http");
        assert_eq!(get(&cache, true).await, "https");
    }
    let cache = cache.ignore_scheme();
    assert_eq!(get(&cache, false).await, "http");
    assert_eq!(get(&cache, true).await, "http");
}
