//! A service with Actix Web, its values and its responses cached: `cargo run -p actix-dashboard`.
//!
//! `metrics.rs` and `users.rs` are what larder does for a service; `routes.rs` puts its response cache in
//! front of the handlers. README.md says what else is where.

#![expect(unreachable_pub, reason = "`pub` is for the other modules here")]

mod app;
mod config;
mod db;
mod failure;
mod metrics;
mod prometheus;
mod requests;
mod routes;
mod stats;
mod stop;
mod uncached;
mod users;

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_web::{App as Actix, HttpServer, middleware::from_fn, web::Data};
use anyhow::{Context, Result};
use larder::Cache as _;
use larder_http::HttpCache;

use crate::{app::App, config::Config, stop::GRACE};

#[actix_web::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let config = Config::from_env()?;

    // In memory, or with `REDIS_URL` in memory and Redis; whether Redis is there by now does not matter.
    larder::install(larder::from_env().await?)?;

    let app = App::start(&config).await?;
    let listener = TcpListener::bind(config.address);
    let listener = listener.with_context(|| format!("ADDRESS: cannot listen on {}", config.address))?;
    serve(listener, app).await?;

    // What was invalidated here, and not told to the other processes yet.
    if !larder::global().flush(Duration::from_secs(2)).await {
        tracing::warn!("other processes were not told of everything that was invalidated");
    }
    Ok(())
}

/// Until somebody wants the process to stop, and all requests have been answered.
async fn serve(listener: TcpListener, app: App) -> Result<()> {
    let app = Data::new(app);
    // What clients send in `Cache-Control` does not count: nobody makes the database work by reloading a page.
    // Made outside of the closure, which runs once for each worker: its clones share what they know, and 64 MiB of memory.
    let cache = HttpCache::new(larder::global()).capacity(64 << 20).ignore_request_directives();
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(app.clone())
            .configure(failure::configure)
            .configure(|service| routes::configure(service, cache.clone()))
            .wrap(from_fn(routes::observe))
    });
    let server = server.shutdown_signal(stop::requested()?).shutdown_timeout(GRACE.as_secs());
    announce(listener.local_addr()?);
    Ok(server.listen(listener)?.run().await?)
}

#[expect(clippy::print_stdout, reason = "whoever started this with port 0 has to learn the port")]
fn announce(address: SocketAddr) {
    println!("listening on http://{address}");
}
