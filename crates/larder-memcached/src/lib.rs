#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod cache;
mod client;
mod connecting;
mod counter;
mod delivery;
mod leases;
mod names;
mod peers;
mod remote;
mod shared_storage;
mod stamp;
mod store;

pub use self::{builder::MemcachedCacheBuilder, cache::MemcachedCache};
