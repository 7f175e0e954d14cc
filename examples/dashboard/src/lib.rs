//! What `axum-dashboard` and `actix-dashboard` have in common: a service without its web framework.
//!
//! **Read first** [`users`], then [`metrics`]: what larder does for a service. The rest is around it: a database, the
//! figures that the page at `/` shows, settings, and when to stop.

pub mod app;
pub mod config;
pub mod db;
pub mod metrics;
pub mod parameters;
pub mod prometheus;
pub mod requests;
pub mod stats;
pub mod stop;
pub mod uncached;
pub mod users;

/// The page at `/`, in HTML.
pub const PAGE: &str = include_str!("index.html");
