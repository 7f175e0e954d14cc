//! What there is to ask for.

use std::time::Instant;

use axum::{
    Json, Router,
    extract::{MatchedPath, Request, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION},
    },
    middleware::{self, Next},
    response::{Html, IntoResponse},
    routing::get,
};
use dashboard::{
    PAGE,
    app::App,
    db::NewUser,
    metrics,
    parameters::{After, Paging, Top},
    requests::{Source, server_timing},
    stats::Stats,
    uncached, users,
};
use serde::Serialize;
use serde_json::json;

use crate::failure::{Body, Failure, Path, Query};

type Reply<T = Json<serde_json::Value>> = Result<T, Failure>;

pub fn router(app: App) -> Router {
    let api = Router::new()
        .route("/dashboard", get(dashboard))
        .route("/metrics/traffic", get(traffic))
        .route("/metrics/error-rate", get(error_rate))
        .route("/metrics/p95-latency", get(p95_latency))
        .route("/metrics/active-users", get(active_users))
        .route("/metrics/revenue", get(revenue))
        .route("/metrics/top-customers", get(top_customers))
        .route("/users", get(list).post(create))
        .route("/users/{id}", get(read).put(update).delete(delete))
        // Inside of `nest`, this needs larder-http's feature `axum`.
        .layer(app.responses.clone());
    // A client that reaches these can read all keys and switch the cache off: a service of your own layers its
    // authentication around them.
    let cache_admin = larder_http::admin(larder::global()).into_router();
    Router::new()
        .route("/", get(Html(PAGE)))
        .nest("/api/v1", api)
        .route("/uncached/dashboard", get(uncached_dashboard))
        .nest("/admin/cache", cache_admin)
        .route("/admin/stats", get(stats))
        .route("/metrics", get(metrics_text))
        .route("/health", get("ok"))
        .fallback(async || Failure::NotFound)
        .layer(middleware::from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// A response that the cache in front of the handlers keeps for so many seconds, or until what it was made from
/// is invalidated. An invalidation does not reach browsers: they ask each time, and get a 304 if they have it.
fn page(seconds: u32, value: impl Serialize) -> impl IntoResponse {
    ([(CACHE_CONTROL, format!("public, max-age=0, s-maxage={seconds}"))], Json(value))
}

async fn dashboard(State(app): State<App>) -> Reply<impl IntoResponse> {
    Ok(page(5, metrics::dashboard(&app.db).await?))
}

async fn traffic(State(app): State<App>) -> Reply<impl IntoResponse> {
    Ok(page(5, json!({ "traffic": metrics::traffic(&app.db).await? })))
}

async fn error_rate(State(app): State<App>) -> Reply<impl IntoResponse> {
    Ok(page(5, json!({ "error_rate": metrics::error_rate(&app.db).await? })))
}

async fn p95_latency(State(app): State<App>) -> Reply<impl IntoResponse> {
    Ok(page(30, json!({ "p95_latency": metrics::p95_latency(&app.db).await? })))
}

async fn active_users(State(app): State<App>) -> Reply<impl IntoResponse> {
    Ok(page(60, json!({ "active_users": metrics::active_users(&app.db).await? })))
}

async fn revenue(State(app): State<App>) -> Reply<impl IntoResponse> {
    Ok(page(300, json!({ "revenue": metrics::revenue(&app.db).await? })))
}

async fn top_customers(State(app): State<App>, Query(top): Query<Top>) -> Reply<impl IntoResponse> {
    Ok(page(300, json!({ "top_customers": metrics::top_customers(&app.db, top.count()).await? })))
}

async fn list(
    State(app): State<App>,
    Query(Paging { page: number }): Query<Paging>,
) -> Reply<impl IntoResponse> {
    Ok(page(300, json!({ "page": number, "users": users::users(&app.db, number).await? })))
}

async fn read(State(app): State<App>, Path(id): Path<u32>) -> Reply<impl IntoResponse> {
    Ok(page(300, users::user(&app.db, id).await?.ok_or(Failure::NotFound)?))
}

async fn create(State(app): State<App>, Body(new): Body<NewUser>) -> Reply<impl IntoResponse> {
    let user = users::create(&app.db, new).await?;
    Ok((StatusCode::CREATED, [(LOCATION, format!("/api/v1/users/{}", user.id))], Json(user)))
}

async fn update(
    State(app): State<App>,
    Path(id): Path<u32>,
    Body(new): Body<NewUser>,
) -> Reply<impl IntoResponse> {
    Ok(Json(users::update(&app.db, id, new).await?.ok_or(Failure::NotFound)?))
}

async fn delete(State(app): State<App>, Path(id): Path<u32>) -> Reply<StatusCode> {
    users::delete(&app.db, id).await?.ok_or(Failure::NotFound)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn uncached_dashboard(State(app): State<App>) -> Reply<impl IntoResponse> {
    Ok(Json(uncached::dashboard(&app.db).await?))
}

async fn stats(State(app): State<App>, Query(After { after }): Query<After>) -> Json<Stats> {
    Json(Stats::of(&app, after))
}

async fn metrics_text(State(app): State<App>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.figures.text(app.db.statements()))
}

/// Measures every request, reads from the response where it came from, and tells the client what it took.
async fn observe(
    State(app): State<App>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> impl IntoResponse {
    let begin = Instant::now();
    let response = next.run(request).await;
    let status = response.headers().get("cache-status").and_then(|status| status.to_str().ok());
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    let took = begin.elapsed();
    app.requests.record(route, Source::of(status), took);
    ([("server-timing", server_timing(took))], response)
}
