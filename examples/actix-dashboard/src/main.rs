//! A service with Actix Web, its values and its responses cached: `cargo run -p actix-dashboard`.
//!
//! `routes.rs` puts larder's response cache in front of the handlers. What they call is in `examples/dashboard`, the
//! same for both frameworks: `users.rs` and `metrics.rs` there are what larder does for a service.

#![expect(unreachable_pub, reason = "`pub` is for the other modules here")]

mod failure;
mod routes;

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_web::{App as Actix, HttpServer, middleware::from_fn, web::Data};
use anyhow::{Context, Result};
use dashboard::{app::App, config::Config, stop};
use larder::CacheExt as _;

#[actix_web::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let config = Config::from_env()?;

    // In memory, or with `REDIS_URL` in memory and Redis; whether Redis is there by now does not matter.
    larder::install(larder::from_env().await?)?;

    let app = App::start(&config).await?;
    let listener = TcpListener::bind(config.address);
    let listener = listener.with_context(|| format!("ADDRESS: cannot listen on {}", config.address))?;
    let responses = app.responses.clone();
    serve(listener, app).await?;

    // Handlers whose clients went away: what they change is invalidated when they end.
    if tokio::time::timeout(Duration::from_secs(2), responses.wait_for_detached()).await.is_err() {
        tracing::warn!("not all handlers came to their end");
    }
    // What was invalidated here and not delivered to the other processes yet.
    if !larder::global().flush(Duration::from_secs(2)).await {
        tracing::warn!("other processes were not told of everything that was invalidated");
    }
    Ok(())
}

/// Until the process is asked to stop, and all requests have been answered.
async fn serve(listener: TcpListener, app: App) -> Result<()> {
    let app = Data::new(app);
    // Made outside of the closure, which runs once for each worker: its clones share what they know, and their memory.
    let responses = app.responses.clone();
    let server = HttpServer::new(move || {
        Actix::new()
            .app_data(app.clone())
            .configure(failure::configure)
            .configure(|service| routes::configure(service, responses.clone()))
            .wrap(from_fn(routes::observe))
    });
    let server = server.shutdown_signal(stop::requested()?).shutdown_timeout(stop::GRACE.as_secs());
    announce(listener.local_addr()?);
    Ok(server.listen(listener)?.run().await?)
}

#[expect(clippy::print_stdout, reason = "with port 0, this is how to learn the port")]
fn announce(address: SocketAddr) {
    println!("listening on http://{address}");
}
