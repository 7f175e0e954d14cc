//! The blocks of README on HTTP, in its own lines: rustfmt leaves them as they are. That README shows just these is tested with
//! `larder` (`macros_documented`).

use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::BodyExt as _;
use larder::{cached, invalidate};
use tower::ServiceExt as _;

/// How often a user was computed.
static COMPUTED: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct User {
    name: String,
}

#[cached(ttl = 300, key = "user:<id>")]
async fn user(id: u64) -> Result<User, String> {
    let computed = COMPUTED.fetch_add(1, Ordering::SeqCst);
    Ok(User { name: format!("user {id}, asked for {computed} times before") })
}

async fn save(_id: u64, _name: &str) -> Result<(), String> {
    Ok(())
}

#[rustfmt::skip]
mod change {
    use super::{invalidate, save};

    #[invalidate("user:<id>")]                       // drops the user, and every response made from it
    async fn rename(id: u64, name: &str) -> Result<(), String> {
        save(id, name).await
    }

    pub(super) async fn renamed() {
        rename(7, "Grace").await.unwrap();
    }
}

#[rustfmt::skip]
fn app() -> axum::Router {
    use axum::{Router, extract::Path, http::StatusCode, response::IntoResponse, routing::get};
    use larder_http::HttpCache;

    async fn profile(Path(id): Path<u64>) -> impl IntoResponse {
        let user = user(id).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
        Ok::<_, StatusCode>(([("cache-control", "public, max-age=60")], user.name))
    }

    let app = Router::new()
        .route("/users/{id}", get(profile))
        .layer(HttpCache::new(larder::global()));    // below the routes: `rename(id, …)` drops the user, and the response

    use axum::middleware::from_fn;

    let admin = larder_http::admin(larder::global()).into_router().layer(from_fn(operators_only));
    let app = app.nest("/admin/cache", admin);       // GET /admin/cache/health, /stats, /keys; POST …/invalidate
    app
}

async fn operators_only(
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Result<axum::response::Response, axum::http::StatusCode> {
    match request.headers().contains_key("x-operator") {
        true => Ok(next.run(request).await),
        false => Err(axum::http::StatusCode::FORBIDDEN),
    }
}

/// The text of the response to a GET, and its `Cache-Status`.
async fn get(app: &axum::Router, path: &str) -> (axum::http::StatusCode, String, String) {
    let request = axum::extract::Request::get(path).body(axum::body::Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status =
        response.headers().get("cache-status").map_or("", |value| value.to_str().unwrap()).to_owned();
    let code = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8(body.to_vec()).unwrap(), status)
}

#[tokio::test]
async fn a_response_goes_with_the_value_that_it_was_made_from() {
    let _own = larder::testing::isolate();
    let app = app();
    let (_, first, _) = get(&app, "/users/7").await;
    let (_, again, status) = get(&app, "/users/7").await;
    assert_eq!(again, first);
    assert!(status.contains("hit"), "{status}");
    change::renamed().await;
    let (_, renamed, _) = get(&app, "/users/7").await;
    assert_ne!(renamed, first);
    let (code, ..) = get(&app, "/admin/cache/stats").await;
    assert_eq!(code, axum::http::StatusCode::FORBIDDEN);
}
