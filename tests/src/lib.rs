//! What needs several crates or processes.

pub mod caches;
pub mod history;
pub mod workers;

pub use larder_warnings as warnings;
