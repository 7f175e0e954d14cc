//! The admin routes: a cache's figures and keys, and its switches, as JSON over HTTP.
//!
//! `request` reads what is asked, `operation` and the files beside it carry it out, `answer` writes it. `axum` and `actix`
//! only bring requests here.

#[cfg(feature = "actix")]
mod actix;
mod answer;
#[cfg(feature = "axum")]
mod axum;
mod body;
mod explain;
mod health;
mod invalidate;
mod keys;
mod percent;
mod request;
mod stats;
mod units;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::Body;
use larder::{Cache, CacheExt as _};
use serde_json::{Value, json};

use self::{
    answer::{Answer, Problem},
    request::{Head, Operation},
};

/// Routes to look at a cache and to operate it, for Axum and Actix Web.
///
/// **Who can reach these routes can read all keys, which may have names and addresses of people in them, and can drop or
/// switch off the cache. Put your authentication in front of them.** Nothing is mounted unless you do it.
///
#[doc = include_str!("../docs/admin.md")]
pub fn admin(cache: impl Cache + 'static) -> Admin {
    Admin { cache: Arc::new(cache), in_touch_within: Duration::from_secs(5) }
}

/// The routes that [`admin`] makes. Cheap to clone.
#[derive(Clone)]
#[must_use = "no route is mounted until it is given to a router"]
pub struct Admin {
    cache: Arc<dyn Cache>,
    in_touch_within: Duration,
}

impl Admin {
    /// For how long changes made by other processes may not have been heard of before `/health` answers 503: five seconds
    /// by default. Little more than two seconds are normal, because an idle log is asked once a second.
    pub fn in_touch_within(self, limit: Duration) -> Self {
        Self { in_touch_within: limit, ..self }
    }

    /// Answers a request, for any other framework: [`into_router`](Self::into_router) and [`scope`](Self::scope) call it.
    ///
    /// The path of its URI is that behind the place where the routes are mounted: `/stats`. The body is read up to 64 KiB,
    /// and only for `POST`. Dropping the future undoes nothing that was done.
    pub async fn respond<B: Body>(&self, request: Request<B>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let head = Head {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
        };
        self.answer(&head, body::read(body)).await
    }

    /// Reads `body` only if the operation takes one.
    async fn answer(
        &self,
        head: &Head,
        body: impl Future<Output = Result<Bytes, Problem>>,
    ) -> Response<Bytes> {
        match self.carry_out(head, body).await {
            Ok(answer) => answer.into_response(),
            Err(problem) => Answer::from(problem).into_response(),
        }
    }

    async fn carry_out(
        &self,
        head: &Head,
        body: impl Future<Output = Result<Bytes, Problem>>,
    ) -> Result<Answer, Problem> {
        let cache = &self.cache;
        Ok(match Operation::of(head)? {
            Operation::Stats => Answer::ok(stats::stats(&**cache)),
            Operation::Keys(asked) => keys::keys(cache, asked).await?,
            Operation::Explain(asked) => Answer::ok(explain::explain(&**cache, &asked).await?),
            Operation::Health => health::health(&**cache, self.in_touch_within),
            Operation::Invalidate => {
                let scopes = invalidate::Asked::read(&body.await?)?;
                invalidate::invalidate(&**cache, scopes).await
            }
            Operation::Disable => {
                request::no_arguments(&body.await?)?;
                cache.disable();
                tracing::warn!("the cache was disabled in this process by the admin routes");
                Answer::ok(enabled(&**cache))
            }
            Operation::Enable => {
                request::no_arguments(&body.await?)?;
                cache.enable();
                tracing::info!("the cache was enabled in this process by the admin routes");
                Answer::ok(enabled(&**cache))
            }
        })
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("in_touch_within", &self.in_touch_within).finish_non_exhaustive()
    }
}

fn enabled(cache: &dyn Cache) -> Value {
    json!({ "enabled": cache.is_enabled() })
}
