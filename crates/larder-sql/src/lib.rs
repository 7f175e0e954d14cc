#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod breaker;
mod builder;
mod cache;
mod connecting;
mod database;
mod epochs;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod error;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod log;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod polling;
#[cfg(feature = "postgres")]
mod postgres;
mod remote;
mod shared;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tables;
mod tiered;
mod transaction;
mod upkeep;

pub use self::{
    builder::SqlCacheBuilder, cache::SqlCache, tiered::TieredSqlCache, transaction::InTransaction,
};
