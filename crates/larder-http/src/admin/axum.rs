//! The routes for Axum.

use axum::{Router, body::Body, extract::Request, routing::any};

use super::Admin;

/// All of them by name: `Router::route_layer` of the router that they are merged into covers routes, and no fallback.
const ROUTES: [&str; 7] =
    ["/stats", "/keys", "/explain/{*key}", "/health", "/invalidate", "/disable", "/enable"];

impl Admin {
    /// The routes as a router, to `nest`. What is layered around it is in front of all of them.
    ///
    /// ```
    /// # use axum::{Router, extract::Request, http::StatusCode, middleware::{Next, from_fn}, response::Response};
    /// async fn operators_only(request: Request, next: Next) -> Result<Response, StatusCode> {
    ///     // Your sessions, tokens or client certificates here.
    ///     let is_operator = request.headers().get("authorization").is_some_and(|sent| sent == "Bearer …");
    ///     if is_operator { Ok(next.run(request).await) } else { Err(StatusCode::UNAUTHORIZED) }
    /// }
    ///
    /// let admin = larder_http::admin(larder::global()).into_router().layer(from_fn(operators_only));
    /// let app: Router = Router::new().nest("/admin/cache", admin);
    /// ```
    #[cfg_attr(docsrs, doc(cfg(all(feature = "admin", feature = "axum"))))]
    pub fn into_router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let handler = move |request: Request| {
            let admin = self.clone();
            async move { admin.respond(request).await.map(Body::from) }
        };
        ROUTES.into_iter().fold(Router::new(), |router, route| router.route(route, any(handler.clone())))
    }
}
