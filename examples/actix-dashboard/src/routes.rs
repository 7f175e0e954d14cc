//! What there is to ask for.

use std::time::Instant;

use actix_web::{
    HttpResponse, Responder, ResponseError as _,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{CACHE_CONTROL, HeaderName, HeaderValue, LOCATION},
    middleware::Next,
    web::{self, Data, Html, Json, Path, Query, ServiceConfig, get, resource},
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
use larder_http::HttpCache;
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;

type Reply = Result<HttpResponse, Failure>;

/// `responses` is one cache for all of Actix' workers, and goes in front of the handlers under `/api/v1`.
pub fn configure(service: &mut ServiceConfig, responses: HttpCache) {
    let api = web::scope("/api/v1")
        .wrap(responses)
        .route("/dashboard", get().to(dashboard))
        .route("/metrics/traffic", get().to(traffic))
        .route("/metrics/error-rate", get().to(error_rate))
        .route("/metrics/p95-latency", get().to(p95_latency))
        .route("/metrics/active-users", get().to(active_users))
        .route("/metrics/revenue", get().to(revenue))
        .route("/metrics/top-customers", get().to(top_customers))
        .service(resource("/users").get(list).post(create))
        .service(resource("/users/{id}").get(read).put(update).delete(delete));
    // A client that reaches these can read all keys and switch the cache off: a service of your own wraps its
    // authentication around them.
    let cache_admin = larder_http::admin(larder::global()).scope("/admin/cache");
    service
        .route("/", get().to(async || Html::new(PAGE)))
        .service(api)
        .route("/uncached/dashboard", get().to(uncached_dashboard))
        .service(cache_admin)
        .route("/admin/stats", get().to(stats))
        .route("/metrics", get().to(metrics_text))
        .route("/health", get().to(async || "ok"))
        .default_service(web::to(async || Failure::NotFound.error_response()));
}

/// A response that the cache in front of the handlers keeps for so many seconds, or until what it was made from
/// is invalidated. An invalidation does not reach browsers: they ask each time, and get a 304 if they have it.
fn page(seconds: u32, value: impl Serialize) -> HttpResponse {
    let fresh = (CACHE_CONTROL, format!("public, max-age=0, s-maxage={seconds}"));
    HttpResponse::Ok().insert_header(fresh).json(value)
}

async fn dashboard(app: Data<App>) -> Reply {
    Ok(page(5, metrics::dashboard(&app.db).await?))
}

async fn traffic(app: Data<App>) -> Reply {
    Ok(page(5, json!({ "traffic": metrics::traffic(&app.db).await? })))
}

async fn error_rate(app: Data<App>) -> Reply {
    Ok(page(5, json!({ "error_rate": metrics::error_rate(&app.db).await? })))
}

async fn p95_latency(app: Data<App>) -> Reply {
    Ok(page(30, json!({ "p95_latency": metrics::p95_latency(&app.db).await? })))
}

async fn active_users(app: Data<App>) -> Reply {
    Ok(page(60, json!({ "active_users": metrics::active_users(&app.db).await? })))
}

async fn revenue(app: Data<App>) -> Reply {
    Ok(page(300, json!({ "revenue": metrics::revenue(&app.db).await? })))
}

async fn top_customers(app: Data<App>, top: Query<Top>) -> Reply {
    let customers = metrics::top_customers(&app.db, top.count()).await?;
    Ok(page(300, json!({ "top_customers": customers })))
}

async fn list(app: Data<App>, paging: Query<Paging>) -> Reply {
    let users = users::users(&app.db, paging.page).await?;
    Ok(page(300, json!({ "page": paging.page, "users": users })))
}

async fn read(app: Data<App>, id: Path<u32>) -> Reply {
    Ok(page(300, users::user(&app.db, *id).await?.ok_or(Failure::NotFound)?))
}

async fn create(app: Data<App>, new: Json<NewUser>) -> Reply {
    let user = users::create(&app.db, new.into_inner()).await?;
    let location = (LOCATION, format!("/api/v1/users/{}", user.id));
    Ok(HttpResponse::Created().insert_header(location).json(user))
}

async fn update(app: Data<App>, id: Path<u32>, new: Json<NewUser>) -> Reply {
    let user = users::update(&app.db, *id, new.into_inner()).await?;
    Ok(HttpResponse::Ok().json(user.ok_or(Failure::NotFound)?))
}

async fn delete(app: Data<App>, id: Path<u32>) -> Reply {
    users::delete(&app.db, *id).await?.ok_or(Failure::NotFound)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn uncached_dashboard(app: Data<App>) -> Reply {
    Ok(HttpResponse::Ok().json(uncached::dashboard(&app.db).await?))
}

async fn stats(app: Data<App>, since: Query<After>) -> impl Responder {
    Json(Stats::of(&app, since.after))
}

async fn metrics_text(app: Data<App>) -> impl Responder {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(app.figures.text(app.db.statements()))
}

/// Measures every request, reads from the response where it came from, and tells the client what it took.
pub async fn observe(
    app: Data<App>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    let begin = Instant::now();
    let mut response = next.call(request).await?;
    let status = response.headers().get("cache-status").and_then(|status| status.to_str().ok());
    let route = response.request().match_pattern();
    let took = begin.elapsed();
    app.requests.record(route.as_deref().unwrap_or("other"), Source::of(status), took);
    let timing = HeaderValue::from_str(&server_timing(took)).expect("digits are a header's value");
    response.headers_mut().insert(HeaderName::from_static("server-timing"), timing);
    Ok(response)
}
