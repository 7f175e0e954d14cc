//! A cached client as a middleware of `reqwest-middleware`.

use ::reqwest::{Request, Response};
use http::Extensions;
use reqwest_middleware::{Middleware, Next, Result};

use super::CachedClient;

/// The last middleware of a chain: it answers requests from the cache, or sends them with its own client.
///
/// Those that are added before it see every call, answered from the cache or not: retries, tracing, tokens. What is added
/// after it is never called, and neither is the chain's own client: that a request is sent may concern others who wait for
/// its response, so that it can outlive its caller, and the rest of a chain is only lent to that caller.
///
/// ```no_run
/// use larder_http::HttpCache;
/// use reqwest_middleware::ClientBuilder;
///
/// # async fn example() -> Result<(), reqwest_middleware::Error> {
/// let client = reqwest::Client::new();
/// let cached = HttpCache::client(larder::global()).identity("anonymous").reqwest(client.clone());
/// let client = ClientBuilder::new(client).with(cached).build();
/// let rates = client.get("https://api.example.com/rates").send().await?;
/// # Ok(())
/// # }
/// ```
#[async_trait::async_trait]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-middleware")))]
impl Middleware for CachedClient {
    async fn handle(&self, request: Request, _: &mut Extensions, _: Next<'_>) -> Result<Response> {
        Ok(self.execute(request).await?)
    }
}
