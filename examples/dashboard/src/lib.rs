//! What `axum-dashboard` and `actix-dashboard` have in common: a service without its web framework.
//!
//! **Read first** [`users`], then [`metrics`]: what larder does for a service. The rest is around it: a database, the
//! figures that the page at `/` shows, settings, and when to stop.

pub mod app;
pub mod config;
pub mod db;
pub mod history;
pub mod metrics;
pub mod parameters;
pub mod prometheus;
pub mod requests;
pub mod stats;
pub mod stop;
pub mod uncached;
pub mod users;

/// The page at `/`, in HTML. It asks for nothing but the service's own figures.
pub const PAGE: &str = concat!(
    include_str!("page/head.html"),
    "<style>\n",
    include_str!("page/style.css"),
    "</style>\n\n",
    include_str!("page/body.html"),
    "<script>\n",
    include_str!("page/chart.js"),
    include_str!("page/page.js"),
    "</script>\n",
);
