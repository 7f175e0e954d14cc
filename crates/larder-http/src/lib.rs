#![doc = include_str!("../docs/http-cache.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "tower", feature = "actix")),
    allow(dead_code, reason = "no framework drives the engine")
)]

// From the bottom to the top; no file imports from one that stands after it:
//
// - syntax: `date`, `digest`, `list_syntax`, `structured_fields`, `range`, `status_code`, `cache_control`, `targeted`,
//   `cache_status`, `negotiation`, `no_vary_search`
// - the rules of the RFCs: `freshness`, `headers`, `selecting`, `vary`, `validation`
// - keys and tags: `header_kinds`, `key`, `request_headers`, `unkeyed_inputs`, `path_tags`, `cache_groups`,
//   `downstream_tags`, `purge`
// - what is stored, and for whom: `stored_response`, `cacheable_request`
// - what users decide: `caching`, `config`, and by these two `storable`
// - the cache itself: `shared_state`, `http_cache`
// - handlers and their bodies: `body`, `origin`
// - how requests are answered: `engine`
// - the frameworks: `tower`, `actix`; `reqwest`, over `tower`
// - apart from all of these: `rate_limit`, `admin`
#[cfg(feature = "actix")]
mod actix;
#[cfg(feature = "admin")]
mod admin;
mod body;
mod cache_control;
mod cache_groups;
mod cache_status;
mod cacheable_request;
mod caching;
mod config;
mod date;
mod digest;
mod downstream_tags;
mod engine;
mod freshness;
mod header_kinds;
mod headers;
mod http_cache;
mod key;
mod list_syntax;
mod negotiation;
mod no_vary_search;
mod normalization;
mod origin;
mod path_tags;
mod purge;
mod range;
#[cfg(feature = "limit")]
mod rate_limit;
mod request_headers;
#[cfg(feature = "reqwest")]
mod reqwest;
mod shared_state;
mod status_code;
mod storable;
mod stored_response;
mod structured_fields;
mod targeted;
#[cfg(feature = "tower")]
mod tower;
mod unkeyed_inputs;
mod validation;
mod vary;

#[cfg(feature = "actix")]
#[cfg_attr(docsrs, doc(cfg(feature = "actix")))]
pub use self::actix::{HttpCacheBody, HttpCacheMiddleware};
#[cfg(feature = "admin")]
#[cfg_attr(docsrs, doc(cfg(feature = "admin")))]
pub use self::admin::{Admin, admin};
#[cfg(all(feature = "limit", feature = "actix"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "limit", feature = "actix"))))]
pub use self::rate_limit::RateLimitMiddleware;
#[cfg(feature = "limit")]
#[cfg_attr(docsrs, doc(cfg(feature = "limit")))]
pub use self::rate_limit::{ClientAddress, InvalidNetwork, RateLimit, address_key};
#[cfg(all(feature = "limit", feature = "tower"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "limit", feature = "tower"))))]
pub use self::rate_limit::{RateLimitBody, RateLimitService};
#[cfg(feature = "reqwest")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
pub use self::reqwest::CachedClient;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::tower::{HttpCacheFuture, HttpCacheService};
pub use self::{
    body::ResponseBody,
    cache_groups::cache_group,
    caching::Caching,
    http_cache::HttpCache,
    key::{page, pages_under},
    purge::Purge,
    stored_response::weigh,
};
