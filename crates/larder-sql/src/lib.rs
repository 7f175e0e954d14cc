#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "postgres", feature = "sqlite")),
    expect(
        dead_code,
        unused_imports,
        unused_variables,
        reason = "without a database, connecting is an error that names the features"
    )
)]

mod builder;
mod cache;
mod cleanup;
mod connecting;
mod database;
mod epochs;
mod error;
mod leases;
mod log;
mod polling;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod remote;
mod row_keys;
mod shared_storage;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement_failure;
mod statement_size;
mod statements;
mod tables;
mod tiered;
mod transaction;

pub use self::{
    builder::SqlCacheBuilder, cache::SqlCache, tiered::TieredSqlCache, transaction::InTransaction,
};
