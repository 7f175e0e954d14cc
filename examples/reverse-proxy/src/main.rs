//! A caching reverse proxy in front of any HTTP server, with Axum:
//!
//! ```sh
//! UPSTREAM=http://127.0.0.1:8000 cargo run -p reverse-proxy --bin reverse-proxy
//! ```
//!
//! What the server's `Cache-Control` allows to be stored is stored here, 256 MiB of it. `ADDRESS` is where it
//! listens: 127.0.0.1:8001 unless it is set.

#![expect(clippy::print_stdout, reason = "where it listens is what this program has to say")]

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::map_request,
    response::{IntoResponse, Response},
};
use reverse_proxy::{Upstream, address, cache, strip_hop_by_hop};
use tokio::{net::TcpListener, signal};

#[tokio::main]
async fn main() -> Result<()> {
    let upstream = Upstream::<Body>::from_env()?;
    // Before the cache: what is of the connection chooses no page.
    let app = Router::new().fallback(forward).with_state(upstream).layer(cache()?).layer(map_request(
        async |mut request: Request| {
            strip_hop_by_hop(request.headers_mut());
            request
        },
    ));

    let address = address();
    let listener = TcpListener::bind(&address).await.with_context(|| format!("ADDRESS is {address}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async { drop(signal::ctrl_c().await) };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

/// The handler behind the cache.
async fn forward(State(upstream): State<Upstream<Body>>, request: Request) -> Response {
    match upstream.ask(request).await {
        Ok(response) => response.map(Body::new),
        Err(status) => status.into_response(),
    }
}
